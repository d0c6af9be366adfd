//! Headers as tables, and what must hold of any bytes.

use proptest::{
    collection::vec,
    prelude::{any, proptest},
    prop_assert, prop_assert_eq,
};

use super::*;

const LOCAL: Option<&str> = None;

/// A version 2 header: command, family and protocol, then `body`.
fn v2(command: u8, protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, protocol][..], &length, body].concat()
}

fn tcp4() -> Vec<u8> {
    let body = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
    v2(0x21, 0x11, &body)
}

fn tcp6(source: [u16; 8]) -> Vec<u8> {
    let mut body: Vec<_> = source.iter().flat_map(|word| word.to_be_bytes()).collect();
    body.extend([0; 16]);
    body.extend([0xdc, 0x04, 0x01, 0xbb]);
    v2(0x21, 0x21, &body)
}

/// A header whose addresses are followed by an extension of `length` bytes.
fn tcp4_with(length: usize) -> Vec<u8> {
    let mut header = tcp4();
    header.extend(vec![4; length]);
    let rest = u16::try_from(header.len() - 16).unwrap().to_be_bytes();
    header[14..16].copy_from_slice(&rest);
    header
}

fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let v1 = |line: &str| format!("{line}\r\n").into_bytes();
    let longest = format!("PROXY UNKNOWN {}", "x".repeat(107 - 14 - 2));
    let v6 = "2001:db8::1 2001:db8::2 1 2";
    vec![
        (
            v1("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443"),
            Some("192.0.2.1:56324"),
        ),
        (
            v1("PROXY TCP4 255.255.255.255 0.0.0.0 0 65535"),
            Some("255.255.255.255:0"),
        ),
        (v1(&format!("PROXY TCP6 {v6}")), Some("[2001:db8::1]:1")),
        (
            v1("PROXY TCP6 ::ffff:192.0.2.1 ::1 9 443"),
            Some("192.0.2.1:9"),
        ),
        (v1("PROXY UNKNOWN"), LOCAL),
        (v1(&format!("PROXY UNKNOWN {v6}")), LOCAL),
        (v1(&longest), LOCAL),
        (tcp4(), Some("192.0.2.1:56324")),
        (tcp4_with(524), Some("192.0.2.1:56324")),
        (
            tcp6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
            Some("[2001:db8::1]:56324"),
        ),
        (
            tcp6([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]),
            Some("192.0.2.1:56324"),
        ),
        (v2(0x20, 0x00, b""), LOCAL),
        // What a LOCAL header says beside is skipped, whatever it is.
        (v2(0x20, 0xff, &[7; 30]), LOCAL),
        (v2(0x21, 0x00, &[7; 30]), LOCAL),
        (v2(0x21, 0x12, &[7; 12]), LOCAL),
        (v2(0x21, 0x31, &[7; 216]), LOCAL),
    ]
}

#[test]
fn a_good_header_ends_where_it_says_and_never_before() {
    for (header, client) in good() {
        let client = client.map(|client| client.parse().unwrap());
        let shown = header.escape_ascii().to_string();
        let complete = State::Complete {
            length: header.len(),
            client,
        };
        for length in 1..header.len() {
            assert_eq!(parse(&header[..length]), Ok(State::Partial), "{shown}");
        }
        for behind in [
            &b""[..],
            b"\x16\x03\x01",
            b"GET / HTTP/1.1\r\n\r\n",
            &header,
        ] {
            let bytes = [&header, behind].concat();
            assert_eq!(parse(&bytes), Ok(complete), "{shown}");
        }
    }
}

#[test]
fn what_is_not_by_the_rules_is_refused() {
    use HeaderError::{Malformed, Missing, Oversize};
    let address = Malformed("bad address");
    let port = Malformed("bad port");
    let end = Malformed("the line does not end with CR LF");
    let short = Malformed("too short for its addresses");
    let command = Malformed("unknown version or command");
    let family = Malformed("unknown address family or protocol");
    for (bytes, error) in [
        (&b"G"[..], Missing),
        (b"\x16\x03\x01", Missing),
        (b"PROXY\r\n", Missing),
        (b"proxy TCP4", Missing),
        (b"\r\n\r\n\0\r\nQUIT\r", Missing),
        (b"PROXY \r\n", Malformed("unknown protocol")),
        (
            b"PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            Malformed("unknown protocol"),
        ),
        (
            b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            Malformed("unknown protocol"),
        ),
        (b"PROXY UNKNOWNS\r\n", Malformed("unknown protocol")),
        (
            b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
            Malformed("unknown protocol"),
        ),
        (b"PROXY TCP4\r\n", address),
        (b"PROXY TCP4 1.1.1.1 1.1.1.01 1 1\r\n", address),
        (b"PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n", address),
        (b"PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n", address),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n", address),
        (b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", address),
        (b"PROXY TCP6 ::1 ::1%eth0 1 1\r\n", address),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 -1\r\n", port),
        (
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n",
            Malformed("more words than there should be"),
        ),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\r\n", port),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", end),
        (b"PROXY \xff\r\n", Malformed("it is no text")),
        (
            &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
            Oversize(107),
        ),
        (
            &[b"PROXY UNKNOWN ", &[b'x'; 92][..], b"\r\n"].concat(),
            Oversize(107),
        ),
        (&v2(0x11, 0x11, &[0; 12]), command),
        (&v2(0x22, 0x11, &[0; 12]), command),
        (&v2(0x21, 0x41, &[0; 12]), family),
        (&v2(0x21, 0x13, &[0; 12]), family),
        (&v2(0x21, 0x11, &[0; 11]), short),
        (&v2(0x21, 0x21, &[0; 35]), short),
        // The length alone decides; nobody waits for the rest.
        (&tcp4_with(525)[..16], Oversize(552)),
        (&v2(0x20, 0, &[0; 65_535])[..16], Oversize(552)),
    ] {
        assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
    }
}

proptest! {
    /// No bytes panic; what is a header is within its bytes and the limit; a header is the same
    /// whatever comes behind it; what was refused is not accepted with more of it.
    #[test]
    fn any_bytes(
        start in 0_usize..3,
        bytes in vec(any::<u8>(), 1..700),
        more in vec(any::<u8>(), 0..50),
    ) {
        let start: &[u8] = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n\x21"][start];
        let bytes = [start, &bytes].concat();
        let longer = [&bytes[..], &more].concat();
        match parse(&bytes) {
            Ok(State::Partial) => prop_assert!(bytes.len() < LONGEST),
            Ok(State::Complete { length, client }) => {
                prop_assert!(length <= bytes.len().min(LONGEST));
                prop_assert_eq!(parse(&longer), Ok(State::Complete { length, client }));
            }
            Err(error) => prop_assert_eq!(parse(&longer), Err(error)),
        }
    }

    /// Every address and port a sender can write is read as it was written, in either version.
    #[test]
    fn any_client(ip in any::<std::net::IpAddr>(), port in any::<u16>()) {
        let ip = ip.to_canonical();
        let client = Some(SocketAddr::new(ip, port));
        let (family, protocol, octets) = match ip {
            std::net::IpAddr::V4(ip) => ("TCP4", 0x11, ip.octets().to_vec()),
            std::net::IpAddr::V6(ip) => ("TCP6", 0x21, ip.octets().to_vec()),
        };
        let text = format!("PROXY {family} {ip} {ip} {port} 443\r\n").into_bytes();
        let body = [&octets[..], &octets, &port.to_be_bytes(), &[1, 0xbb]].concat();
        for header in [text, v2(0x21, protocol, &body)] {
            let length = header.len();
            prop_assert_eq!(parse(&header), Ok(State::Complete { length, client }));
        }
    }
}
