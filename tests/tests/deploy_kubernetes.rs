//! The manifests of `deploy/kubernetes`: rendered by `kubectl kustomize`, validated against
//! Kubernetes' own schemas, and then asked what schemas cannot say.
//!
//! No cluster is needed, and none is used. For ServiceMonitor, which is not Kubernetes' own, there
//! is no schema; its few fields are compared one by one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use certfleet_testkit::process::TestDir;
use serde_json::{Value, json};

const FOLDERS: [&str; 3] = ["base", "overlays/example", "overlays/behind-proxy"];

/// The oldest version that the README names, one between, and the newest there are schemas for.
const VERSIONS: [&str; 3] = ["1.28", "1.32", "1.37"];

#[test]
fn every_manifest_is_what_kubernetes_expects() {
    let mut files = vec![repository("base/secret.example.yaml")];
    let dir = TestDir::new("manifests").unwrap();
    for folder in FOLDERS {
        let path = dir.path().join(folder.replace('/', "-"));
        fs::write(&path, render(folder).unwrap()).unwrap();
        files.push(path);
    }
    for version in VERSIONS {
        for file in &files {
            let said = validate(version, file).unwrap_or_else(|error| panic!("{error:#}"));
            for line in said.lines().filter(|line| line.contains("WARN")) {
                assert!(line.contains("kind ServiceMonitor"), "{line}");
            }
        }
    }
}

#[test]
fn a_misspelt_field_would_be_found() {
    let dir = TestDir::new("manifests").unwrap();
    let path = dir.path().join("base.yaml");
    let wrong = render("base")
        .unwrap()
        .replace("readOnlyRootFilesystem", "readOnlyRootFileSystem");
    fs::write(&path, wrong).unwrap();
    let error = validate(VERSIONS[2], &path).unwrap_err().to_string();
    assert!(error.contains("readOnlyRootFileSystem"), "{error}");
}

#[test]
fn selectors_choose_the_pods_and_ports_exist() {
    for folder in FOLDERS {
        let fleet = Fleet::rendered(folder);
        let labels = &fleet.one("Deployment")["spec"]["template"]["metadata"]["labels"];
        let mut selectors = vec![
            &fleet.one("Deployment")["spec"]["selector"]["matchLabels"],
            &fleet.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            &fleet.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        ];
        selectors.extend(
            fleet
                .all("Service")
                .map(|service| &service["spec"]["selector"]),
        );
        let spread = fleet.pod()["topologySpreadConstraints"].as_array().unwrap();
        selectors.extend(
            spread
                .iter()
                .map(|rule| &rule["labelSelector"]["matchLabels"]),
        );
        for selector in selectors {
            assert!(selects(selector, labels), "{folder}: {selector}");
        }

        let ports: Vec<_> = list(&fleet.container()["ports"])
            .map(|port| &port["name"])
            .collect();
        let services = fleet
            .all("Service")
            .flat_map(|service| list(&service["spec"]["ports"]));
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        let allowed = list(&fleet.one("NetworkPolicy")["spec"]["ingress"])
            .flat_map(|rule| list(&rule["ports"]));
        let named = services
            .map(|port| &port["targetPort"])
            .chain(probes.map(|probe| &fleet.container()[probe]["httpGet"]["port"]))
            .chain(allowed.map(|port| &port["port"]));
        for port in named {
            assert!(ports.contains(&port), "{folder}: {port}");
        }
    }
}

#[test]
fn what_a_pod_refers_to_is_there() {
    let secret: Value = documents(&file("base/secret.example.yaml")).remove(0);
    let name = &secret["metadata"]["name"];
    let key = |key: &Value| secret["stringData"].get(key.as_str().unwrap()).is_some();
    for folder in FOLDERS {
        let fleet = Fleet::rendered(folder);
        let from = &fleet.container()["envFrom"][0]["configMapRef"]["name"];
        assert_eq!(
            from,
            &fleet.one("ConfigMap")["metadata"]["name"],
            "{folder}"
        );
        let account = &fleet.one("ServiceAccount")["metadata"]["name"];
        assert_eq!(&fleet.pod()["serviceAccountName"], account, "{folder}");

        let secrets = list(&fleet.container()["env"])
            .map(|variable| &variable["valueFrom"]["secretKeyRef"])
            .filter(|reference| !reference.is_null());
        for reference in secrets {
            assert_eq!(&reference["name"], name, "{folder}");
            assert!(key(&reference["key"]), "{folder}: {reference}");
        }
        let volume = list(&fleet.pod()["volumes"]).find(|volume| !volume["secret"].is_null());
        let volume = &volume.unwrap()["secret"];
        assert_eq!(&volume["secretName"], name, "{folder}");
        for item in list(&volume["items"]) {
            assert!(key(&item["key"]), "{folder}: {item}");
        }
        let mounts: Vec<_> = list(&fleet.container()["volumeMounts"])
            .map(|mount| &mount["name"])
            .collect();
        for volume in list(&fleet.pod()["volumes"]) {
            assert!(mounts.contains(&&volume["name"]), "{folder}: {volume}");
        }
    }
}

#[test]
fn challenges_reach_nodes_that_are_not_ready_and_https_does_not() {
    for folder in FOLDERS {
        let fleet = Fleet::rendered(folder);
        let http = &fleet.named("Service", "certfleet-http")["spec"];
        let https = &fleet.named("Service", "certfleet-https")["spec"];
        assert_eq!(http["publishNotReadyAddresses"], json!(true), "{folder}");
        assert_eq!(https["publishNotReadyAddresses"], Value::Null, "{folder}");
        for same in [
            "type",
            "loadBalancerIP",
            "externalTrafficPolicy",
            "selector",
        ] {
            assert_eq!(http[same], https[same], "{folder}: one address for both");
        }
        assert_eq!(list(&http["ports"]).next().unwrap()["port"], 80);
        assert_eq!(list(&https["ports"]).next().unwrap()["port"], 443);
    }
    let example = Fleet::rendered("overlays/example");
    let behind = Fleet::rendered("overlays/behind-proxy");
    for service in ["certfleet-http", "certfleet-https"] {
        assert_eq!(
            example.named("Service", service)["spec"]["externalTrafficPolicy"],
            "Local"
        );
        assert_eq!(
            behind.named("Service", service)["spec"]["type"],
            "ClusterIP"
        );
    }
}

#[test]
fn a_node_may_drain_before_it_is_killed() {
    for folder in FOLDERS {
        let fleet = Fleet::rendered(folder);
        let settings = &fleet.one("ConfigMap")["data"];
        let seconds = |key: &str| {
            let value = settings[key]
                .as_str()
                .and_then(|value| value.strip_suffix('s'));
            Duration::from_secs(value.unwrap().parse().unwrap())
        };
        let pause = seconds("CERTFLEET_DRAIN_PAUSE");
        let drain = seconds("CERTFLEET_DRAIN_TIMEOUT");
        let grace = fleet.pod()["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap();
        assert!(Duration::from_secs(grace) > pause + drain, "{folder}");

        let probe = &fleet.container()["readinessProbe"];
        let number = |key: &str| probe[key].as_u64().unwrap();
        let noticed =
            number("periodSeconds") * number("failureThreshold") + number("timeoutSeconds");
        assert!(pause > Duration::from_secs(noticed), "{folder}");
        let rolling = &fleet.one("Deployment")["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(
            rolling,
            &json!({"maxSurge": 1, "maxUnavailable": 0}),
            "{folder}"
        );
    }
}

#[test]
fn a_node_runs_with_no_more_than_it_needs() {
    for folder in FOLDERS {
        let fleet = Fleet::rendered(folder);
        let pod = &fleet.pod()["securityContext"];
        assert_eq!(pod["runAsNonRoot"], json!(true), "{folder}");
        assert_eq!(pod["seccompProfile"]["type"], "RuntimeDefault", "{folder}");
        assert_eq!(
            fleet.pod()["automountServiceAccountToken"],
            json!(false),
            "{folder}"
        );
        assert_eq!(
            fleet.container()["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }),
            "{folder}"
        );
        let image = fleet.container()["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap();
        assert!(
            tag.starts_with(|c: char| c.is_ascii_digit()),
            "{folder}: {image}"
        );
    }
}

#[test]
fn prometheus_finds_every_node() {
    let fleet = Fleet::rendered("overlays/example");
    let service = fleet.named("Service", "certfleet-metrics");
    let monitor = fleet.one("ServiceMonitor");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    let labels = json!({
        "app.kubernetes.io/name": "certfleet",
        "app.kubernetes.io/component": "metrics",
    });
    assert_eq!(
        monitor["spec"],
        json!({
            "selector": {"matchLabels": labels},
            "endpoints": [
                {"port": "admin", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s"},
            ],
        })
    );
    assert!(selects(&labels, &service["metadata"]["labels"]));
    for other in ["certfleet-http", "certfleet-https"] {
        let other = fleet.named("Service", other);
        assert!(
            !selects(&labels, &other["metadata"]["labels"]),
            "asked twice"
        );
    }
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(
        list(&service["spec"]["ports"]).next().unwrap()["name"],
        "admin"
    );
}

/// The objects of one folder.
struct Fleet(Vec<Value>);

impl Fleet {
    fn rendered(folder: &str) -> Self {
        Self(documents(&render(folder).expect("the folder renders")))
    }

    fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    fn one(&self, kind: &str) -> &Value {
        let mut all = self.all(kind);
        let one = all.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(all.next().is_none(), "more than one {kind}");
        one
    }

    fn named(&self, kind: &str, name: &str) -> &Value {
        self.all(kind)
            .find(|object| object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    fn pod(&self) -> &Value {
        &self.one("Deployment")["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether `labels` hold everything that `selector` asks for, and it asks for something.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("a selector is a map");
    !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("what kubectl renders is YAML")
}

fn render(folder: &str) -> Result<String> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(repository(folder))
        .output()
        .context(
            "cannot run kubectl: install version 1.24 or later \
             (https://kubernetes.io/docs/tasks/tools, or Debian 13's package \"kubernetes-client\")",
        )?;
    successful(output, folder)
}

/// What kubernetes-validate says about a file that it finds right.
fn validate(version: &str, file: &Path) -> Result<String> {
    let args = ["--strict", "-k", version];
    // On the path, or where the failure below says to put it.
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    let output = [
        "kubernetes-validate".into(),
        tools.join("bin/kubernetes-validate"),
    ]
    .iter()
    .find_map(|program| Command::new(program).args(args).arg(file).output().ok())
    .ok_or_else(|| {
        anyhow!(
            "kubernetes-validate is missing: install it from PyPI by\n\
                 python3 -m venv {0} && {0}/bin/pip install -r deploy/kubernetes/requirements.txt\n\
                 (Debian packages python3 and python3-venv)",
            tools.display()
        )
    })?;
    successful(output, &format!("Kubernetes {version}, {}", file.display()))
}

fn successful(output: Output, about: &str) -> Result<String> {
    let text = String::from_utf8(output.stdout)?;
    let problem = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{about}: {text}{problem}");
    }
    Ok(text + &problem)
}

fn file(name: &str) -> String {
    let path = repository(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path of something in `deploy/kubernetes`.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes")).join(path)
}
