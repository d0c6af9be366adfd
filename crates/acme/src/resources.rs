//! What a CA has to ask for: its directory object (RFC 8555 section 7.1.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The URLs of a CA's functions, and what it says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resources {
    pub(crate) new_nonce: String,
    pub(crate) new_account: String,
    pub(crate) new_order: String,
    pub(crate) revoke_cert: Option<String>,
    pub(crate) key_change: Option<String>,
    /// RFC 9773 section 4.1.
    pub(crate) renewal_info: Option<String>,
    #[serde(default)]
    pub(crate) meta: Meta,
}

/// What a CA says of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    /// The profiles by name, with what they are (a draft of the ACME working group).
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, String>,
    /// Whether an account must be bound to one outside of ACME (section 7.3.4).
    #[serde(default)]
    pub(crate) external_account_required: bool,
}
