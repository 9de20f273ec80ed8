//! Where a large payload comes from, as often as it is wanted. Its bytes come piece by piece and are never
//! in memory all at once; who keeps them is not known here.

use std::fmt;
use std::io;

use futures_util::future::BoxFuture;
use ledger::Object;

/// A large payload.
pub trait Large: Send + Sync + fmt::Debug {
    /// Its bytes, from the beginning.
    fn open(&self) -> BoxFuture<'static, io::Result<Object>>;
}
