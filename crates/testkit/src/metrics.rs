//! Prometheus exposition text (version 0.0.4), read into samples.

use std::str::FromStr;

use anyhow::{Context, Error, Result};

/// The samples of one scrape.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<Sample>);

/// One line: a name, its labels as they stand between the braces, a value.
#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: String,
    value: f64,
}

impl Metrics {
    /// The sum over all samples called `name`, if there is one.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.sum_where(name, "")
    }

    /// The sum over the samples called `name` whose labels contain `label`, such as
    /// `result="issued"`, if there is one.
    #[must_use]
    pub fn sum_where(&self, name: &str, label: &str) -> Option<f64> {
        let found = self
            .0
            .iter()
            .filter(|s| s.name == name && s.labels.contains(label));
        found.map(|sample| sample.value).reduce(|a, b| a + b)
    }
}

impl FromStr for Metrics {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| sample(line).with_context(|| format!("no sample: {line:?}")))
            .collect::<Result<_>>()
            .map(Self)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (key, value) = line.rsplit_once(' ')?;
    let (name, labels) = match key.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (key, ""),
    };
    Some(Sample {
        name: name.to_owned(),
        labels: labels.to_owned(),
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_samples_and_names_what_is_none() {
        let text = "# HELP a b\n# TYPE a counter\na{r=\"x y\"} 2\na{r=\"z\"} 3\nb 0.5\nc_bucket{le=\"+Inf\"} 7\n";
        let metrics: Metrics = text.parse().unwrap();
        assert_eq!(metrics.sum("a"), Some(5.0));
        assert_eq!(metrics.sum_where("a", "r=\"x y\""), Some(2.0));
        assert_eq!(metrics.sum("c_bucket"), Some(7.0));
        assert_eq!(metrics.sum("d"), None);
        assert!("<html>".parse::<Metrics>().is_err());
    }
}
