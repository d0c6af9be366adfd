//! A plain ACME client: instant-acme over hyper, without certfleet's own.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use certfleet_testkit::{pebble::Pebble, plain_client::Http};
use hyper::{Request, header};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error,
    ExternalAccountKey, HttpClient, Identifier, NewAccount, NewOrder, Order, RetryPolicy,
};
use rcgen::{CertificateParams, KeyPair};

/// An account at a CA.
pub(crate) struct Client {
    pub(crate) account: Account,
    /// How many answers said when to ask again.
    pub(crate) retry_after: Arc<AtomicUsize>,
}

impl Client {
    /// Makes an account, bound to an external one if that is given by id and key.
    pub(crate) async fn new(
        pebble: &Pebble,
        external: Option<(&str, &[u8])>,
    ) -> Result<Self, Error> {
        let external = external.map(|(id, key)| ExternalAccountKey::new(id.to_owned(), key));
        let account = NewAccount {
            contact: &[],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let retry_after = Arc::<AtomicUsize>::default();
        let http = Counting {
            http: Http::trusting(pebble).unwrap(),
            retry_after: Arc::clone(&retry_after),
        };
        let (account, _) = Account::builder_with_http(Box::new(http))
            .create(&account, pebble.directory_url(), external.as_ref())
            .await?;
        Ok(Self {
            account,
            retry_after,
        })
    }

    pub(crate) async fn order(&self, names: &[&str]) -> Order {
        self.try_order(names).await.unwrap()
    }

    pub(crate) async fn try_order(&self, names: &[&str]) -> Result<Order, Error> {
        let identifiers = names.iter().map(|name| match name.parse() {
            Ok(address) => Identifier::Ip(address),
            Err(_) => Identifier::Dns((*name).to_owned()),
        });
        let identifiers: Vec<_> = identifiers.collect();
        self.account.new_order(&NewOrder::new(&identifiers)).await
    }

    /// A certificate, with its chain, as PEM.
    pub(crate) async fn issue(&self, names: &[&str]) -> String {
        let mut order = self.order(names).await;
        announce(&mut order).await;
        settled(&mut order).await.unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::new(names).unwrap();
        let request = request.serialize_request(&key).unwrap();
        order.finalize_csr(request.der()).await.unwrap();
        order.poll_certificate(&RetryPolicy::new()).await.unwrap()
    }
}

/// Says of every HTTP-01 challenge that is still to be answered that it is.
pub(crate) async fn announce(order: &mut Order) {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        if authorization.status == AuthorizationStatus::Pending {
            let challenge = authorization.challenge(ChallengeType::Http01);
            challenge.unwrap().set_ready().await.unwrap();
        }
    }
}

/// Waits until every name of the order is validated; the CA's problem if one is not.
pub(crate) async fn settled(order: &mut Order) -> Result<(), Error> {
    order.poll_ready(&RetryPolicy::new()).await.map(drop)
}

/// Counts the answers that say when to ask again.
struct Counting {
    http: Http,
    retry_after: Arc<AtomicUsize>,
}

impl HttpClient for Counting {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let response = self.http.request(request);
        let retry_after = Arc::clone(&self.retry_after);
        Box::pin(async move {
            let response = response.await?;
            let said = response.parts.headers.contains_key(header::RETRY_AFTER);
            retry_after.fetch_add(said.into(), Ordering::Relaxed);
            Ok(response)
        })
    }
}
