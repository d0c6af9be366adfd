use super::*;
use crate::{Backend, SystemClock};

async fn fresh() -> ((), Arc<dyn Backend>) {
    ((), Arc::new(Memory::new(Arc::new(SystemClock))))
}

mod contract {
    use super::*;
    crate::contract_tests!(fresh());
}
