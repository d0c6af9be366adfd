//! The reading end: which certificate a handshake is answered with.
//!
//! Resolving does no I/O and takes no lock: it loads one pointer and looks a name up in a table
//! that nobody changes (see the `table` module for the rule). It decides nothing by what the
//! client is able to verify: there is one certificate for a name.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::table::Table;

/// Answers handshakes from what a [`Publisher`](crate::Publisher) published last.
///
/// A name resolves to the certificate that has it, else to the wildcard over all but its first
/// label, else to the default certificate. A client that connects by address sends no name (RFC
/// 6066 section 3): it gets a certificate that has an address, else the default. Of several, the one that became valid last is served,
/// then the one with the lowest id. Where nothing is found, rustls ends the handshake with the
/// fatal alert `access_denied` (49, RFC 8446 section 6.2), for an unknown name and for a table
/// that is still empty alike.
///
/// rustls asks before it looks at a session to resume, so a retracted name is refused to
/// returning clients too. Copies share the table.
#[derive(Clone)]
pub struct Resolver {
    table: Arc<ArcSwap<Table>>,
}

impl Resolver {
    pub(crate) fn new(table: Arc<ArcSwap<Table>>) -> Self {
        Self { table }
    }

    /// Whether a certificate is served that has `name`, itself or by a wildcard. The default
    /// certificate is not asked.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.table.load().by_name(name).is_some()
    }

    /// The chain and key for a client that asks for `name`, or for none.
    pub(crate) fn by_name(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        table.resolve(name).map(|entry| Arc::clone(&entry.key))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.by_name(hello.server_name())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
