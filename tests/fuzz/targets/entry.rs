//! Local headers, data and descriptors: the input is one entry, and the central directory tells what can
//! be told about it. The input's first bytes are what only a central directory knows: the mode, the method
//! and how many bytes are data.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Sandbox, repair};
use libfuzzer_sys::{Corpus, fuzz_target};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::new);

fuzz_target!(|input: &[u8]| -> Corpus {
    match repair::described(input) {
        Some(package) => fuzz::zip(&SANDBOX, &package),
        None => return Corpus::Reject,
    }
    Corpus::Keep
});
