//! Version 2: a signature, what the header says and in how many bytes, then those bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{HeaderError, State};

/// What the header begins with.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of the part that is always there.
const FIXED: usize = 16;
/// The longest header that is taken. Senders keep it within one segment, of which any network
/// passes 536 bytes; the length field alone would allow 64 KiB.
pub(super) const LONGEST: usize = FIXED + 536;

/// Judges bytes that begin with the signature, as far as there are any.
pub(super) fn parse(bytes: &[u8]) -> Result<State, HeaderError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(State::Partial);
    };
    let &[.., command, protocol, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST {
        return Err(HeaderError::Oversize(LONGEST));
    }
    let relayed = match command {
        0x20 => false,
        0x21 => true,
        _ => return Err(HeaderError::Malformed("unknown version or command")),
    };
    let Some(body) = rest.get(..length) else {
        return Ok(State::Partial);
    };
    let client = if relayed {
        client(protocol, body)?
    } else {
        None
    };
    Ok(State::Complete {
        length: FIXED + length,
        client,
    })
}

/// The source address of a relayed connection: none if it did not come by TCP.
fn client(protocol: u8, body: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let short = HeaderError::Malformed("too short for its addresses");
    // Both addresses, then both ports.
    match (protocol >> 4, protocol & 0xf) {
        (1, 1) => {
            let &[a, b, c, d, _, _, _, _, high, low, _, _] = body.first_chunk().ok_or(short)?;
            let port = u16::from_be_bytes([high, low]);
            Ok(Some((Ipv4Addr::new(a, b, c, d), port).into()))
        }
        (2, 1) => {
            let addresses: &[u8; 36] = body.first_chunk().ok_or(short)?;
            let (source, rest) = addresses.split_first_chunk::<16>().ok_or(short)?;
            let port = u16::from_be_bytes([rest[16], rest[17]]);
            let ip = IpAddr::from(Ipv6Addr::from(*source));
            Ok(Some((ip.to_canonical(), port).into()))
        }
        (0..=3, 0..=2) => Ok(None),
        _ => Err(HeaderError::Malformed("unknown address family or protocol")),
    }
}
