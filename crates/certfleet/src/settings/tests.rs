//! What is set where, and which of it wins.

use super::*;

fn variables(of: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let pairs = of.iter().map(|&(name, value)| (name.into(), value.into()));
    Settings::from_variables(pairs, None)
}

fn entries(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|&(key, text)| (key.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn the_environment_wins_over_the_file() {
    let settings = variables(&[("CERTFLEET_FLEET", "here"), ("PATH", "/bin")])
        .unwrap()
        .with_file(
            "c.toml",
            entries(&[("fleet", "there"), ("lease_ttl", "5s")]),
        )
        .unwrap();
    assert_eq!(settings.text(&known::FLEET), Some("here"));
    assert_eq!(settings.text(&known::LEASE_TTL), Some("5s"));
    assert_eq!(settings.text(&known::ADMIN_ADDR), Some("127.0.0.1:9180"));
    let place = |setting| settings.place(setting).map(|place| place.to_string());
    assert_eq!(
        place(&known::FLEET).unwrap(),
        "environment variable CERTFLEET_FLEET"
    );
    assert_eq!(place(&known::LEASE_TTL).unwrap(), "c.toml, key lease_ttl");
    assert_eq!(place(&known::ADMIN_ADDR), None);
}

#[test]
fn a_key_in_the_environment_wins_over_a_key_file_in_the_file() {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let settings = variables(&[("CERTFLEET_MASTER_KEY", key)])
        .unwrap()
        .with_file("c.toml", entries(&[("master_key_file", "/nowhere")]))
        .unwrap();
    assert!(master_key::ring(&settings).is_ok());
    let settings = variables(&[("CERTFLEET_MASTER_KEY_FILE", "/nowhere")])
        .unwrap()
        .with_file("c.toml", entries(&[("master_key", key)]))
        .unwrap();
    assert!(master_key::ring(&settings).is_err());
}

#[test]
fn what_is_no_setting_is_named_with_its_neighbour() {
    for (name, value, line) in [
        (
            "CERTFLEET_REDIS_UR",
            "x",
            "environment variable CERTFLEET_REDIS_UR is not a setting of certfleet; the \
             nearest is CERTFLEET_REDIS_URL",
        ),
        (
            "CERTFLEET_FLEET",
            " ",
            "environment variable CERTFLEET_FLEET: it is set but empty; wanted: 1 to 63 of \
             the characters a-z 0-9 -, such as prod-eu",
        ),
    ] {
        assert_eq!(variables(&[(name, value)]).unwrap_err().to_string(), line);
    }
    let file = |key, text| {
        Settings::default()
            .with_file("c.toml", entries(&[(key, text)]))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        file("lease_tll", "1s"),
        "c.toml, key lease_tll is not a setting of certfleet; the nearest is lease_ttl"
    );
    assert_eq!(
        file("config", "d.toml"),
        "c.toml, key config: a file names another file; wanted: CERTFLEET_CONFIG or --config"
    );
}

#[test]
fn what_is_set_wrongly_in_code_is_told_in_the_end() {
    let line = |key, text, method| {
        let mut settings = Settings::default();
        settings.set("fleet", "first", "Fleet::builder().fleet");
        settings.set(key, text, method);
        settings.config().unwrap_err().to_string()
    };
    assert_eq!(
        line("fleet", "Prod", "Fleet::builder().fleet"),
        "Fleet::builder().fleet: found \"Prod\"; wanted: 1 to 63 of the characters a-z 0-9 -, \
         such as prod-eu"
    );
    assert_eq!(
        line("lease_tll", "1s", "Fleet::builder().setting"),
        "Fleet::builder().setting(\"lease_tll\") is not a setting of certfleet; the nearest \
         is lease_ttl"
    );
}

#[test]
fn service_links_are_passed_over() {
    variables(&[
        ("CERTFLEET_SERVICE_HOST", "10.0.0.1"),
        ("CERTFLEET_PORT", "tcp://10.0.0.1:443"),
    ])
    .unwrap();
    assert!(variables(&[("CERTFLEET_PORT", "443")]).is_err());
}
