//! Documents of images as a registry answers them, and names of images: no bytes do any harm.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::image::read(bytes));
