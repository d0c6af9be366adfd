//! What an operator does to a fleet, by the commands one would type, and what happens to its nodes.

use anyhow::{Context, Result};

use super::LocalFleet;
use crate::node::{Config, Node};

impl LocalFleet {
    /// Has the fleet get a certificate for `names`, joined by `+`, by the command an operator would
    /// type, with further arguments such as `--challenge`; gives its place among the others.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add(&mut self, names: &str, terms: &[&str]) -> Result<usize> {
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&[&["add", names], terms].concat()).await?;
        self.expect(names)
    }

    /// Knows the certificate for `names`, joined by `+`, that the fleet gets by another way; gives
    /// its place among the others.
    ///
    /// # Errors
    /// If these are no names.
    pub fn expect(&mut self, names: &str) -> Result<usize> {
        self.certificates.push(names.parse()?);
        Ok(self.certificates.len() - 1)
    }

    /// Has a certificate renewed, by the command an operator would type.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn renew(&self, certificate: usize) -> Result<()> {
        let id = self.id(certificate);
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&["renew", id.as_str()]).await.map(drop)
    }

    /// What `certfleet show` prints of a certificate.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn show(&self, certificate: usize) -> Result<String> {
        let id = self.id(certificate);
        let node = self.nodes.first().context("a fleet has a node")?;
        node.run(&["show", id.as_str()]).await
    }

    /// Starts a further node, which the balancer does not know, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not get so.
    pub async fn join(&mut self, id: &str) -> Result<()> {
        let environment = self.nodes.first().context("a fleet has a node")?;
        let environment = environment.config().environment.clone();
        let mut node = Node::start(Config::new(id, self.dir.path(), environment)?)?;
        node.ready().await?;
        self.nodes.push(node);
        Ok(())
    }

    /// Kills a node (SIGKILL) and loses all that nodes and CA have under way, so that nothing of
    /// what it was saying arrives; gives what it was started with.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self, id: &str) -> Result<Config> {
        let node = self.nodes.remove(self.position(id)?);
        let config = node.config().clone();
        drop(node);
        if let Some(relay) = &self.relay {
            relay.cut();
        }
        Ok(config)
    }
}
