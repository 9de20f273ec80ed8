//! Central directories: the input is one, behind local headers that do not know it and before an end
//! record that does. Its first two bytes are the number of entries.
#![no_main]

use std::sync::LazyLock;

use fuzz::Sandbox;
use libfuzzer_sys::{Corpus, fuzz_target};

static LOCALS: LazyLock<Vec<u8>> = LazyLock::new(fuzz::seeds::locals);
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::new);

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((count, directory)) = input.split_first_chunk::<2>() else { return Corpus::Reject };
    let [length, start] = [directory.len(), LOCALS.len()]
        .map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], count, &length, &start, &[0; 2]].concat();
    fuzz::zip(&SANDBOX, &[&LOCALS[..], directory, &end].concat());
    Corpus::Keep
});
