//! Version 1: a line of text, such as `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::{self, FromStr},
};

use super::{HeaderError, State};

/// What the line begins with.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// The longest line there is, its end (CR LF) included.
pub(super) const LONGEST: usize = 107;

/// Judges bytes that begin with the signature, as far as there are any.
pub(super) fn parse(bytes: &[u8]) -> Result<State, HeaderError> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    let Some(line) = window.iter().position(|&byte| byte == b'\n') else {
        return if window.len() < LONGEST {
            Ok(State::Partial)
        } else {
            Err(HeaderError::Oversize(LONGEST))
        };
    };
    let text = window[..line]
        .strip_suffix(b"\r")
        .ok_or(HeaderError::Malformed("the line does not end with CR LF"))?;
    Ok(State::Complete {
        length: line + 1,
        client: client(text)?,
    })
}

/// The source address in a line without its end.
fn client(line: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let line = str::from_utf8(line).map_err(|_| HeaderError::Malformed("it is no text"))?;
    let mut words = line.split(' ').skip(1);
    let parse: fn(&str) -> Option<IpAddr> = match words.next() {
        Some("TCP4") => address::<Ipv4Addr>,
        Some("TCP6") => address::<Ipv6Addr>,
        // Whatever else is in the line is to be ignored.
        Some("UNKNOWN") => return Ok(None),
        _ => return Err(HeaderError::Malformed("unknown protocol")),
    };
    let mut ip = || {
        words
            .next()
            .and_then(parse)
            .ok_or(HeaderError::Malformed("bad address"))
    };
    let (source, _destination) = (ip()?, ip()?);
    let mut port = || {
        words
            .next()
            .and_then(port)
            .ok_or(HeaderError::Malformed("bad port"))
    };
    let (source_port, _destination_port) = (port()?, port()?);
    match words.next() {
        None => Ok(Some((source.to_canonical(), source_port).into())),
        Some(_) => Err(HeaderError::Malformed("more words than there should be")),
    }
}

fn address<T: FromStr + Into<IpAddr>>(word: &str) -> Option<IpAddr> {
    word.parse().ok().map(T::into)
}

/// Decimal digits alone, with no zero in front.
fn port(word: &str) -> Option<u16> {
    let plain = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| plain)
}
