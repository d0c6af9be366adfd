//! The ring of master keys: the first seals, any opens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{Context, HEADER, KeyId, MasterKey, SealError, Sealed, split};

const NONCE: usize = 12;

/// One or more master keys. The first seals; each opens what it has sealed.
#[derive(Debug)]
pub struct KeyRing {
    first: MasterKey,
    others: Vec<MasterKey>,
}

impl KeyRing {
    /// A ring whose `first` key seals, and whose `others` still open what they sealed before.
    #[must_use]
    pub fn new(first: MasterKey, others: Vec<MasterKey>) -> Self {
        Self { first, others }
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn sealing_key(&self) -> KeyId {
        self.first.id()
    }

    /// Seals `plaintext` so that it opens in `context` only.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn seal(&self, context: &Context<'_>, plaintext: &[u8]) -> Sealed {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the operating system gives randomness");
        let key = &self.first;
        let data = context.additional_data(key.id());
        let mut payload = nonce.to_vec();
        payload.extend_from_slice(&key.encrypt(nonce, plaintext, &data));
        Sealed(format!(
            "{HEADER}{}.{}",
            key.id(),
            URL_SAFE_NO_PAD.encode(payload)
        ))
    }

    /// Opens a value that was sealed in `context` by any key of the ring.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] if its key is not here, [`SealError::Refused`] if it was changed
    /// or belongs elsewhere, [`SealError::Malformed`] if it is no sealed value to begin with.
    pub fn open(
        &self,
        context: &Context<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, payload) = split(sealed.as_str())?;
        let key = std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| key.id() == id)
            .ok_or(SealError::UnknownKey(id))?;
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| SealError::Malformed)?;
        let (nonce, ciphertext) = payload
            .split_first_chunk::<NONCE>()
            .ok_or(SealError::Malformed)?;
        key.decrypt(*nonce, ciphertext, &context.additional_data(id))
            .ok_or(SealError::Refused(id))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{FleetName, Generation};

    fn ring(byte: u8) -> KeyRing {
        KeyRing::new(MasterKey::from_bytes(&[byte; 32]), vec![])
    }

    fn fleet(name: &str) -> FleetName {
        name.parse().unwrap()
    }

    fn context<'a>(fleet: &'a FleetName, record: &'a str, generation: u64) -> Context<'a> {
        Context {
            fleet,
            kind: "certificate",
            record,
            generation: Generation::new(generation),
        }
    }

    #[test]
    fn opens_only_where_it_belongs() {
        let (ours, theirs) = (fleet("ours"), fleet("theirs"));
        let home = context(&ours, "a.example", 7);
        let sealed = ring(1).seal(&home, b"secret");
        assert_eq!(ring(1).open(&home, &sealed).unwrap().as_slice(), b"secret");

        let id = sealed.key_id();
        for away in [
            context(&theirs, "a.example", 7),
            context(&ours, "b.example", 7),
            context(&ours, "a.example", 8),
            Context {
                kind: "account",
                ..home
            },
        ] {
            assert_eq!(
                ring(1).open(&away, &sealed),
                Err(SealError::Refused(id)),
                "{away:?}"
            );
        }
    }

    #[test]
    fn a_lost_key_is_named_and_an_old_one_still_opens() {
        let ours = fleet("ours");
        let home = context(&ours, "a.example", 1);
        let old = ring(1).seal(&home, b"secret");
        assert_eq!(
            ring(2).open(&home, &old),
            Err(SealError::UnknownKey(old.key_id()))
        );

        let both = KeyRing::new(
            MasterKey::from_bytes(&[2; 32]),
            vec![MasterKey::from_bytes(&[1; 32])],
        );
        assert!(both.open(&home, &old).is_ok());
        assert_eq!(both.seal(&home, b"secret").key_id(), both.sealing_key());
    }

    #[test]
    fn what_is_no_sealed_value_is_named() {
        assert_eq!(
            "{\"key\":\"...\"}".parse::<Sealed>(),
            Err(SealError::Plaintext)
        );
        assert_eq!(
            "certfleet.v9.x.y".parse::<Sealed>(),
            Err(SealError::Version("v9".into()))
        );
        assert_eq!(
            "certfleet.v1.xyz.AAAA".parse::<Sealed>(),
            Err(SealError::Malformed)
        );
        let ours = fleet("ours");
        let id = ring(1).sealing_key();
        for payload in ["", "AAAA", "!!!!"] {
            let short: Sealed = format!("certfleet.v1.{id}.{payload}").parse().unwrap();
            let opened = ring(1).open(&context(&ours, "a.example", 1), &short);
            assert_eq!(opened, Err(SealError::Malformed), "{payload:?}");
        }
    }

    #[test]
    fn two_seals_of_one_value_differ() {
        let ours = fleet("ours");
        let home = context(&ours, "a.example", 1);
        assert_ne!(
            ring(1).seal(&home, b"secret"),
            ring(1).seal(&home, b"secret")
        );
    }

    proptest! {
        /// No byte of a sealed value can change without being noticed.
        #[test]
        fn any_changed_byte_is_refused(
            plaintext in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            with in 0x21_u8..0x7f,
        ) {
            let ours = fleet("ours");
            let home = context(&ours, "a.example", 1);
            let sealed = ring(1).seal(&home, &plaintext);
            let mut bytes = sealed.as_str().as_bytes().to_vec();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != with);
            bytes[at] = with;
            let changed = String::from_utf8(bytes).unwrap();
            let opened = changed.parse::<Sealed>().and_then(|s| ring(1).open(&home, &s));
            prop_assert!(opened.is_err(), "{} opened as {}", sealed.as_str(), changed);
        }
    }
}
