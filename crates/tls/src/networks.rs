//! Lists of networks: who is trusted, who is let in.
//!
//! An address is compared as what it means: IPv4 that a dual-stack socket shows as IPv6
//! (`::ffff:192.0.2.1`) is IPv4.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Any number of networks; written as CIDRs or single addresses, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether `address` is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = NetworksError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let networks = text.split(',').map(|item| network(item.trim()));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

/// An item of a list that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworksError {
    /// It is neither a CIDR nor an address.
    #[error("{0:?} is not a network such as 192.0.2.0/24, and not an address")]
    NotANetwork(String),
    /// Bits behind the prefix are set, so it is not clear what is meant.
    #[error("{given} has bits set behind the prefix; write {meant} or another prefix")]
    LongerThanItsPrefix {
        /// What was given.
        given: IpNet,
        /// The network it is in.
        meant: IpNet,
    },
}

fn network(text: &str) -> Result<IpNet, NetworksError> {
    let given = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| NetworksError::NotANetwork(text.to_owned()))?,
    };
    let meant = given.trunc();
    if given == meant {
        Ok(given)
    } else {
        Err(NetworksError::LongerThanItsPrefix { given, meant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_or_not() {
        let networks: Networks = "10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1".parse().unwrap();
        for (address, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:11.0.0.1", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", true),
        ] {
            let found = networks.contains(address.parse().unwrap());
            assert_eq!(found, is_in, "{address}");
        }
        assert_eq!(
            networks.to_string(),
            "10.0.0.0/8,192.0.2.7/32,2001:db8::/32,::1/128"
        );
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
        let everyone: Networks = "0.0.0.0/0,::/0".parse().unwrap();
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] {
            assert!(everyone.contains(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        for (text, line) in [
            (
                "",
                "\"\" is not a network such as 192.0.2.0/24, and not an address",
            ),
            (
                "10.0.0.0/8,",
                "\"\" is not a network such as 192.0.2.0/24, and not an address",
            ),
            (
                "10.0.0.0/8 lb.example",
                "\"10.0.0.0/8 lb.example\" is not a network such as 192.0.2.0/24, and not an address",
            ),
            (
                "10.0.0.0/33",
                "\"10.0.0.0/33\" is not a network such as 192.0.2.0/24, and not an address",
            ),
            (
                "::1,10.1.2.3/8",
                "10.1.2.3/8 has bits set behind the prefix; write 10.0.0.0/8 or another prefix",
            ),
        ] {
            assert_eq!(text.parse::<Networks>().unwrap_err().to_string(), line);
        }
    }
}
