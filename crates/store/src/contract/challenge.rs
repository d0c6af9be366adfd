//! The challenge board.

use super::{BRIEF, LONG, eventually};
use crate::Backend;

/// An answer is there from when it was posted to when it was withdrawn.
pub async fn is_answered_until_withdrawn(backend: &dyn Backend) {
    assert_eq!(backend.answer("token-1").await.unwrap(), None);
    backend
        .post("token-1", "token-1.thumb", LONG)
        .await
        .unwrap();
    backend
        .post("token-2", "token-2.thumb", LONG)
        .await
        .unwrap();
    let answer = backend.answer("token-1").await.unwrap();
    assert_eq!(answer.as_deref(), Some("token-1.thumb"));
    backend.withdraw("token-1").await.unwrap();
    backend.withdraw("token-1").await.unwrap();
    assert_eq!(backend.answer("token-1").await.unwrap(), None);
    assert!(backend.answer("token-2").await.unwrap().is_some());
}

/// A token has one answer, the last one, with its own time to live.
pub async fn is_replaced_by_a_second_post(backend: &dyn Backend) {
    backend.post("token", "first", BRIEF).await.unwrap();
    backend.post("token", "second", LONG).await.unwrap();
    tokio::time::sleep(BRIEF * 2).await;
    let answer = backend.answer("token").await.unwrap();
    assert_eq!(answer.as_deref(), Some("second"));
}

/// What nobody withdraws goes by itself.
pub async fn expires_by_itself(backend: &dyn Backend) {
    backend.post("token", "answer", BRIEF).await.unwrap();
    eventually("the answer expires", async || {
        backend
            .answer("token")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
}
