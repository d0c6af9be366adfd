//! A fleet at work, told as it happens: the first certificate, then a forced renewal under load,
//! then the commands to try, and whatever happens until Ctrl-C.

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use certfleet_store::event::EventKind;
use certfleet_testkit::{
    fleet::{LocalFleet, Options},
    load::Load,
    node::program,
    watch::Watch,
};
use tokio::time::sleep;

use crate::{
    narration::{Narration, colour},
    screen::{Screen, Style},
};

/// How long the new certificate may take to be everywhere, by handshakes.
const STEP: Duration = Duration::from_secs(30);
/// How long a client of the load rests between connections.
const PAUSE: Duration = Duration::from_millis(5);
/// How many connections the load makes at the most.
const MOST: usize = 50_000;

/// Shows it; ends only with an error.
pub(crate) async fn run(screen: &mut Screen) -> Result<bool> {
    let heading = screen.style(Style::Bold, "A fleet of three, from nothing");
    screen.line(format_args!("{heading}"))?;
    let fleet = LocalFleet::start(Options::default()).await?;
    parts(screen, &fleet)?;
    let mut show = Show {
        screen,
        watch: fleet.watch(),
        narration: Narration::default(),
        fleet,
    };
    show.certificate("").await?;
    let first = show.fleet.converged(0, "", STEP).await?;
    show.say(&format!("All nodes serve serial {first}."))?;

    show.fleet.balanced().await?;
    sleep(Duration::from_secs(2)).await;
    let id = show.fleet.id(0);
    show.say(&format!(
        "$ certfleet renew {id}    (while clients connect without a pause)"
    ))?;
    let load = Load::start(show.fleet.client.clone(), show.fleet.plan(4, PAUSE, MOST));
    show.fleet.renew(0).await?;
    show.certificate(&first).await?;
    let second = show.fleet.converged(0, &first, STEP).await?;
    let outcome = load.stop().await?;
    show.say(&format!("All nodes serve serial {second}; {outcome}."))?;

    let commands = commands(&show.fleet)?;
    show.say("Try, in another terminal:")?;
    show.screen.line(format_args!("{commands}"))?;
    show.say("What happens in the fleet goes on below. Ctrl-C stops everything.")?;
    loop {
        show.next().await?;
    }
}

struct Show<'a> {
    screen: &'a mut Screen,
    watch: Watch,
    narration: Narration,
    fleet: LocalFleet,
}

impl Show<'_> {
    /// Tells events until every node serves a certificate other than the one with serial `old`.
    async fn certificate(&mut self, old: &str) -> Result<()> {
        let mut serving = BTreeSet::new();
        while serving.len() < self.fleet.nodes.len() {
            let Some((node, kind, detail)) = self.next().await? else {
                continue;
            };
            let serves = matches!(kind, EventKind::Committed | EventKind::Installed);
            if serves && (old.is_empty() || !detail.contains(old)) {
                serving.insert(node);
            }
        }
        Ok(())
    }

    /// Tells the next event, if there is one; gives its node, kind and detail.
    async fn next(&mut self) -> Result<Option<(String, EventKind, String)>> {
        let Some(event) = self.watch.next(&self.fleet.redis).await? else {
            return Ok(None);
        };
        let line = self.narration.line(self.screen, &event);
        self.screen.line(format_args!("{line}"))?;
        Ok(Some((event.node.to_string(), event.kind, event.detail)))
    }

    fn say(&mut self, words: &str) -> Result<()> {
        let words = self.screen.style(Style::Bold, words);
        self.screen.line(format_args!("\n{words}"))
    }
}

/// What runs where.
fn parts(screen: &mut Screen, fleet: &LocalFleet) -> Result<()> {
    let (http, https) = (fleet.haproxy.http(), fleet.haproxy.https());
    screen.line(format_args!("  Redis     {}", fleet.redis.address()))?;
    screen.line(format_args!("  Pebble    {}", fleet.pebble.directory_url()))?;
    screen.line(format_args!(
        "  HAProxy   {http} (its port 80)  {https} (its port 443)"
    ))?;
    for node in &fleet.nodes {
        let config = node.config();
        let name = screen
            .style(colour(&config.id), format_args!("{:8}", config.id))
            .to_string();
        let (https, admin, pid) = (config.https, config.admin, node.pid());
        screen.line(format_args!(
            "  {name}  https {https}  admin {admin}  pid {pid}"
        ))?;
    }
    screen.line(format_args!(""))
}

/// The commands to try, with this fleet's ports and files.
fn commands(fleet: &LocalFleet) -> Result<String> {
    let name = fleet
        .names(0)
        .into_iter()
        .next()
        .context("a certificate has a name")?;
    let (id, key) = (fleet.id(0), fleet.key(&format!("cert:{}", fleet.id(0))));
    let (https, redis) = (fleet.haproxy.https().port(), fleet.redis.address().port());
    let node = fleet.nodes.first().context("a fleet has a node")?;
    let (root, admin, pid) = (fleet.root_file(), node.config().admin, node.pid());
    let root = root.display();
    let certfleet = format!(
        "env $(cat {}) {}",
        environment(fleet)?.display(),
        program()?.display()
    );
    let mut text = String::new();
    for command in [
        format!("curl --cacert {root} --resolve {name}:{https}:127.0.0.1 https://{name}:{https}/"),
        format!("redis-cli -p {redis} HGETALL '{key}'"),
        format!("redis-cli -p {redis} HGET '{key}' chain | openssl x509 -noout -text"),
        format!("{certfleet} list"),
        format!("{certfleet} renew {id}"),
        format!("curl http://{admin}/metrics"),
        format!("kill -9 {pid}    # {}; the others go on", node.id()),
    ] {
        let _ = writeln!(text, "  {command}");
    }
    Ok(text)
}

/// A file with the first node's environment, for the program's other commands.
fn environment(fleet: &LocalFleet) -> Result<PathBuf> {
    let config = fleet.nodes.first().context("a fleet has a node")?.config();
    let command = config.command()?;
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default();
        let _ = writeln!(text, "{}={}", name.display(), value.display());
    }
    let file = config.dir.join("environment");
    fs::write(&file, text)?;
    Ok(file)
}
