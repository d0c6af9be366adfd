//! What the command line may say of a certificate's terms.

use std::time::Duration;

use certfleet_core::{
    ChallengeKind, IssuerName, KeyType, OwnTerms, ProviderName, duration, policy::RenewBefore,
};
use clap::Args;

/// What is different about a certificate; what is not said is as the fleet has it.
#[derive(Debug, Args)]
pub(crate) struct TermsOptions {
    /// The issuers to turn to, the preferred one first
    #[arg(long = "issuer", value_name = "NAME", value_delimiter = ',')]
    issuers: Option<Vec<IssuerName>>,
    /// The ways of validation, the preferred one first: http-01, tls-alpn-01, dns-01
    #[arg(long = "challenge", value_name = "KIND", value_delimiter = ',')]
    challenges: Option<Vec<ChallengeKind>>,
    /// The DNS provider for dns-01
    #[arg(long, value_name = "NAME")]
    dns: Option<ProviderName>,
    /// The kind of key: p256, p384, rsa2048, rsa4096
    #[arg(long, value_name = "KIND")]
    key_type: Option<KeyType>,
    /// Keep the key when it is renewed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    reuse_key: Option<bool>,
    /// The profile to ask the CA for
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The common name of the topmost issuer in the chain to take
    #[arg(long, value_name = "NAME")]
    chain: Option<String>,
    /// How long it is to be valid, such as 30d
    #[arg(long, value_name = "TIME", value_parser = time)]
    validity: Option<Duration>,
    /// When to renew it: so long before its end (30d), or with so much of its lifetime left (33%)
    #[arg(long, value_name = "TIME|SHARE")]
    renew_before: Option<RenewBefore>,
}

impl TermsOptions {
    /// As terms.
    pub(crate) fn own(self) -> OwnTerms {
        OwnTerms {
            issuers: self.issuers,
            challenges: self.challenges,
            dns: self.dns,
            key_type: self.key_type,
            reuse_key: self.reuse_key,
            profile: self.profile,
            chain: self.chain,
            validity: self.validity,
            renew_before: self.renew_before,
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "it is no duration such as 30d or 12h".to_owned())
}
