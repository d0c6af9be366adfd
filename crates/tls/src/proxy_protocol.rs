//! The PROXY protocol, versions 1 and 2, as its receiver (HAProxy's `proxy-protocol.txt`).
//!
//! A balancer that passes bytes on says with it, in front of everything else, whose connection it
//! is. [`read`] takes exactly the header off a socket: what is behind it stays for TLS or HTTP.
//! Whoever may send a header may claim any address, so whom to believe is decided before, by the
//! [`Listener`](crate::Listener). Of the extensions (TLVs) none is looked at, the checksum neither.

mod v1;
mod v2;

use std::{io, net::SocketAddr};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// The longest header that is taken; version 1 has a limit of its own below it.
const LONGEST: usize = v2::LONGEST;

/// Takes the header off `tcp` and gives the client's address; none if the header says that the
/// connection is the sender's own (LOCAL), or whose it is cannot be said in TCP addresses.
///
/// # Errors
/// [`HeaderError`] inside an error of kind `InvalidData`; `UnexpectedEof` if the header is not
/// whole when the sender closes; else what the system says.
pub(crate) async fn read(tcp: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = [0; LONGEST];
    let mut taken = 0;
    loop {
        // Seen first and taken then, since only the bytes tell where the header ends.
        let seen = tcp.peek(&mut header[taken..]).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let state = parse(&header[..taken + seen])?;
        let end = match state {
            State::Partial => taken + seen,
            State::Complete { length, .. } => length,
        };
        tcp.read_exact(&mut header[taken..end]).await?;
        taken = end;
        if let State::Complete { client, .. } = state {
            return Ok(client);
        }
    }
}

/// What bytes from the start of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A header so far, and shorter than [`LONGEST`]: more must come.
    Partial,
    /// A header of `length` bytes.
    Complete {
        length: usize,
        client: Option<SocketAddr>,
    },
}

/// Why bytes are no header that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// They begin like none.
    #[error("there is no PROXY protocol header, which this sender must send")]
    Missing,
    /// They begin like one, and then break its rules.
    #[error("malformed PROXY protocol header: {0}")]
    Malformed(&'static str),
    /// It is longer than [`v1::LONGEST`] or [`v2::LONGEST`].
    #[error("the PROXY protocol header is longer than the limit of {0} bytes")]
    Oversize(usize),
}

impl From<HeaderError> for io::Error {
    fn from(error: HeaderError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Judges `bytes`, of which there is at least one, at the first that decides.
fn parse(bytes: &[u8]) -> Result<State, HeaderError> {
    if begins_like(bytes, v2::SIGNATURE) {
        v2::parse(bytes)
    } else if begins_like(bytes, v1::SIGNATURE) {
        v1::parse(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Whether `bytes` are as much of `signature` as there can be of it.
fn begins_like(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests;
