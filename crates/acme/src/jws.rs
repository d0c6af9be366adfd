//! Signing what is sent to a CA: JSON Web Signature (RFC 7515), in the flattened form that ACME
//! uses (RFC 8555 section 6.2).
//!
//! instant-acme signs its requests itself. This is for those it cannot make: with a certificate's
//! own key, with a key that is to be an account's, and with the key of an external account.
//! Nothing is verified here, and no key is made.

use aws_lc_rs::{
    error::Unspecified,
    hmac,
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        RSA_PKCS1_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

/// Something to sign with.
pub(crate) enum Signer {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Mac(&'static str, Box<hmac::Key>),
}

impl Signer {
    /// A private key: ECDSA on P-256 or P-384, or RSA. `None` if it is of another kind.
    pub(crate) fn from_pkcs8(key: &PrivatePkcs8KeyDer<'_>) -> Option<Self> {
        let der = key.secret_pkcs8_der();
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok();
        ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(Self::P256)
            .or_else(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Self::P384))
            .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Self::Rsa))
    }

    /// The public key as a JSON Web Key (RFC 7517), with the members that identify it and no
    /// others; null for a MAC, which has none.
    pub(crate) fn jwk(&self) -> Value {
        let point = |key: &EcdsaKeyPair, curve: &str| {
            // An uncompressed point: 4, x, y.
            let public = &key.public_key().as_ref()[1..];
            let (x, y) = public.split_at(public.len() / 2);
            json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
        };
        match self {
            Self::P256(key) => point(key, "P-256"),
            Self::P384(key) => point(key, "P-384"),
            Self::Rsa(key) => {
                let public = key.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Self::Mac(..) => Value::Null,
        }
    }

    /// `payload` signed: the object with `protected`, `payload` and `signature`. The header is
    /// `header` with the algorithm added.
    pub(crate) fn sign(&self, mut header: Value, payload: &[u8]) -> Result<Value, Unspecified> {
        header["alg"] = self.algorithm().into();
        let protected = encode(header.to_string().as_bytes());
        let payload = encode(payload);
        let signature = self.signature(format!("{protected}.{payload}").as_bytes())?;
        Ok(json!({"protected": protected, "payload": payload, "signature": encode(&signature)}))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Rsa(_) => "RS256",
            Self::Mac(algorithm, _) => algorithm,
        }
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::P256(key) | Self::P384(key) => Ok(key.sign(&random, message)?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::Mac(_, key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey,
    };
    use base64::engine::general_purpose::STANDARD;
    use certfleet_core::KeyType;

    use super::*;

    /// The payload of the examples in RFC 7515 appendix A.
    const PAYLOAD: &str =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    /// The key of appendix A.2, as PKCS#8.
    const RSA: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXOjS1lYmM2K5J9vinh8CR3\
        /BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxLaYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywP\
        Vb9ilE8TA5a8bpvfbr3SvaNnjuygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1\
        A5L5ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkftoaHLFcW9Qr4NY2a\
        i50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHgVFbK5emhAgMBAAECggEAEq5xpGnNCivDflJs\
        RQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46su\
        i395IW/GO+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M/V51\
        gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl\
        /x/jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ\
        60imZV1URk0KpLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr0AHQfD8/\
        Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqElMGAg+C2V0L4oNXnP7LZcPAZRwKB\
        gQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsL\
        q6XtON4tB5kP9jAPrq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNwkgMT\
        P1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp5u9SN0Ai3Ya6hNnvWJMb7sXQ\
        X6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds29+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV\
        7Jr5MR0AHWKNAoGBAIf/evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\
        yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZjOYiIDktVWZzmevJuv6Wy\
        wUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26\
        F0EmpScGLq2MowX7fhd/QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh\
        6A5603k2+ZQwVK0JKSHuLFkuQ3U=";
    /// The key of appendix A.3, as PKCS#8.
    const P256: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fC\
        E9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1u\
        qQskrYpGIyiFiOWt";

    fn signer(pkcs8: &str) -> Signer {
        Signer::from_pkcs8(&STANDARD.decode(pkcs8).unwrap().into()).unwrap()
    }

    fn input(header: &str) -> String {
        format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(PAYLOAD.as_bytes())
        )
    }

    #[test]
    fn a_mac_is_that_of_rfc_7515_appendix_a_1() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(key).unwrap());
        let message = input("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}");
        let signature = Signer::Mac("HS256", Box::new(key)).signature(message.as_bytes());
        assert_eq!(
            encode(&signature.unwrap()),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn an_rsa_signature_is_that_of_rfc_7515_appendix_a_2() {
        let signature = signer(RSA).signature(input("{\"alg\":\"RS256\"}").as_bytes());
        let signature = encode(&signature.unwrap());
        assert_eq!(
            signature,
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt\
             _O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL\
             IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7no\
             OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
             Ge77Rw"
        );
        let jwk = signer(RSA).jwk();
        assert_eq!(jwk["e"], "AQAB");
        assert!(
            jwk["n"]
                .as_str()
                .unwrap()
                .starts_with("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp")
        );
    }

    #[test]
    fn an_ecdsa_key_is_that_of_rfc_7515_appendix_a_3() {
        let jwk = signer(P256).jwk();
        assert_eq!(
            jwk.to_string(),
            r#"{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#
        );
    }

    #[test]
    fn ecdsa_signatures_verify_in_the_form_that_jws_wants() {
        for (kind, algorithm, verification) in [
            (KeyType::P256, "ES256", &ECDSA_P256_SHA256_FIXED),
            (KeyType::P384, "ES384", &ECDSA_P384_SHA384_FIXED),
        ] {
            let key = crate::certificate::fresh_key(kind).unwrap();
            let signer = Signer::from_pkcs8(&crate::certificate::pkcs8(&key)).unwrap();
            let signed = signer
                .sign(json!({"url": "x"}), PAYLOAD.as_bytes())
                .unwrap();
            let part = |name: &str| signed[name].as_str().unwrap().to_owned();
            let header = URL_SAFE_NO_PAD.decode(part("protected")).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header, json!({"url": "x", "alg": algorithm}));
            let message = format!("{}.{}", part("protected"), part("payload"));
            let signature = URL_SAFE_NO_PAD.decode(part("signature")).unwrap();
            UnparsedPublicKey::new(verification, key.public_key_raw())
                .verify(message.as_bytes(), &signature)
                .unwrap();
        }
    }
}
