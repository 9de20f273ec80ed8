//! The ledger in S3: its own tests (`ledger/tests/store`), against the S3 API of `moto_server`.

use std::process::Command;

use e2e::{Moto, root};

#[test]
fn a_ledger_in_s3_is_one_in_a_directory() {
    let moto = Moto::start();
    moto.bucket("ledger");
    // Of the whole workspace: so nothing is compiled again.
    let mut tests = Command::new(env!("CARGO"));
    tests.args(["test", "--locked", "--workspace", "--test", "store", "--", "--ignored"]);
    let output = tests.env("IMMORTAL_S3", moto.url()).current_dir(root()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("s3::one_owner_and_one_outcome_in_s3 ... ok"), "{told}");
}
