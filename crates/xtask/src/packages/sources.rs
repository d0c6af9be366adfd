//! Which archives this machine's apt sources name, read from their text (sources.list(5)).
//!
//! Both forms are read, the one-line and the deb822 one. Only where a release's own `main` comes
//! from counts: not updates, security, backports, nor anything that is switched off. That an
//! archive is Debian's is not decided here but by its signature.

/// The form of a file of apt sources, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `*.list`: a line each.
    Lines,
    /// `*.sources`: a stanza each.
    Stanzas,
}

impl Form {
    /// The form of a file, if apt would read it at all.
    pub(crate) fn of(file: &str) -> Option<Self> {
        match file.rsplit_once('.')?.1 {
            "list" => Some(Self::Lines),
            "sources" => Some(Self::Stanzas),
            _ => None,
        }
    }
}

/// The URIs of the archives that may be Debian's main one, the likeliest first, none twice.
pub(crate) fn archives<'a>(files: impl IntoIterator<Item = (Form, &'a str)>) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for (form, text) in files {
        let uris = match form {
            Form::Lines => text.lines().filter_map(line).collect(),
            Form::Stanzas => stanzas(text),
        };
        for uri in uris {
            if !found.contains(&uri) {
                found.push(uri);
            }
        }
    }
    // By custom Debian's own archive ends so; the sort keeps the order otherwise.
    found.sort_by_key(|uri| !uri.ends_with("/debian"));
    found
}

/// `deb [options] URI SUITE COMPONENT...`
fn line(line: &str) -> Option<String> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    rest = rest.trim_start();
    if let Some(options) = rest.strip_prefix('[') {
        rest = options.split_once(']')?.1;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    (is_release(suite) && words.any(is_main)).then(|| normal(uri))
}

fn stanzas(text: &str) -> Vec<String> {
    let mut found = vec![];
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let off = field(stanza, "Enabled").iter().any(|word| is_no(word));
        if !off
            && field(stanza, "Types").contains(&"deb")
            && field(stanza, "Suites").into_iter().any(is_release)
            && field(stanza, "Components").into_iter().any(is_main)
        {
            found.extend(field(stanza, "URIs").into_iter().map(normal));
        }
    }
    found
}

/// The words of a field and of the lines that go on with it.
fn field<'a>(stanza: &[&'a str], name: &str) -> Vec<&'a str> {
    let mut words = vec![];
    let mut inside = false;
    for line in stanza {
        let value = if line.starts_with([' ', '\t']) {
            Some(*line).filter(|_| inside)
        } else {
            let named = line.split_once(':');
            let value = named.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            inside = value.is_some();
            value.map(|(_, value)| value)
        };
        words.extend(value.into_iter().flat_map(str::split_whitespace));
    }
    words
}

/// Whether a suite is a release itself, not something beside one.
fn is_release(suite: &str) -> bool {
    !suite.contains(['-', '/'])
}

fn is_main(component: &str) -> bool {
    component == "main"
}

fn is_no(word: &str) -> bool {
    ["no", "false", "without", "off", "disable"].contains(&word.to_ascii_lowercase().as_str())
}

fn normal(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources() {
        for (text, want) in [
            (
                "deb http://a.test/debian bookworm main",
                &["http://a.test/debian"][..],
            ),
            (
                "deb\thttp://a.test/debian/\tbookworm\tcontrib main",
                &["http://a.test/debian"],
            ),
            (
                "deb [arch=amd64 signed-by=/k.gpg] http://a.test/debian bookworm main # ours",
                &["http://a.test/debian"],
            ),
            (
                "deb [ trusted=no ] mirror+file:/m.list stable main",
                &["mirror+file:/m.list"],
            ),
            ("# deb http://a.test/debian bookworm main", &[]),
            ("deb-src http://a.test/debian bookworm main", &[]),
            ("deb http://a.test/debian bookworm contrib", &[]),
            ("deb http://a.test/debian bookworm-updates main", &[]),
            (
                "deb http://a.test/debian-security bookworm-security main",
                &[],
            ),
            (
                "deb http://a.test/debian-security bullseye/updates main",
                &[],
            ),
            ("deb http://a.test/flat ./", &[]),
            ("deb [arch=amd64 http://a.test/debian bookworm main", &[]),
            ("", &[]),
        ] {
            assert_eq!(archives([(Form::Lines, text)]), want, "{text:?}");
        }
    }

    #[test]
    fn deb822_sources() {
        let usual = "Types: deb deb-src\nURIs: http://a.test/debian\n\
                     Suites: bookworm bookworm-updates\nComponents: main\n";
        for (text, want) in [
            (usual.to_owned(), &["http://a.test/debian"][..]),
            // A comment inside, another case, a field over several lines, a key in the text.
            (
                "types: deb\n# http://old.test/debian\nuris:\n http://a.test/debian/\n \
                 http://b.test/debian\nsuites: trixie\ncomponents: main\nSigned-By:\n \
                 -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n URIs: http://no.test\n"
                    .to_owned(),
                &["http://a.test/debian", "http://b.test/debian"],
            ),
            (format!("{usual}Enabled: no\n"), &[]),
            (format!("{usual}Enabled: yes\n"), &["http://a.test/debian"]),
            (usual.replace("deb deb-src", "deb-src"), &[]),
            (
                usual.replace("bookworm bookworm-updates", "bookworm-security"),
                &[],
            ),
            (
                usual.replace("Components: main", "Components: contrib"),
                &[],
            ),
            // Two stanzas with the blank line that parts them.
            (
                format!("{}\n \n{usual}", usual.replace("a.test", "b.test")),
                &["http://b.test/debian", "http://a.test/debian"],
            ),
            (String::new(), &[]),
        ] {
            assert_eq!(archives([(Form::Stanzas, &*text)]), want, "{text:?}");
        }
    }

    #[test]
    fn the_likeliest_archive_comes_first_and_none_twice() {
        let list = "deb https://other.test/deb bookworm main\n\
                    deb http://a.test/debian bookworm main\n\
                    deb http://a.test/debian/ trixie main\n";
        let stanza = "Types: deb\nURIs: http://b.test/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(
            archives([(Form::Lines, list), (Form::Stanzas, stanza)]),
            [
                "http://a.test/debian",
                "http://b.test/debian",
                "https://other.test/deb"
            ]
        );
    }

    #[test]
    fn apt_reads_two_kinds_of_file() {
        assert_eq!(Form::of("sources.list"), Some(Form::Lines));
        assert_eq!(Form::of("debian.sources"), Some(Form::Stanzas));
        assert_eq!(Form::of("debian.sources.bak"), None);
        assert_eq!(Form::of("README"), None);
    }
}
