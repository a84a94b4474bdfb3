//! The backends of this crate, under the suite that every backend has to pass.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::sync::Arc;

use openpeer_store::{MemoryStore, SqliteStore, Store, suite};
use proptest::prelude::*;
use tempfile::TempDir;

fn sqlite() -> (Arc<dyn Store>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(directory.path()).unwrap()), directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    suite::conformance(async || (Arc::new(MemoryStore::new()) as Arc<dyn Store>, ())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    suite::conformance(async || sqlite()).await;
}

#[tokio::test]
async fn sqlite_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    suite::survives_reopening(async || {
        Arc::new(SqliteStore::open(directory.path()).unwrap()) as Arc<dyn Store>
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_like_memory(operations in suite::model::operations(60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (store, _directory) = sqlite();
        let expected = runtime.block_on(suite::model::perform(&MemoryStore::new(), &operations));
        let answers = runtime.block_on(suite::model::perform(&*store, &operations));
        for ((operation, answer), expected) in operations.iter().zip(answers).zip(expected) {
            prop_assert_eq!(answer, expected, "{:?}", operation);
        }
    }
}
