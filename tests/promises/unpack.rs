//! `unpack`: a package made by a real tool comes out as it went in.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;

use e2e::{Package, Sandbox};

#[test]
fn what_info_zip_packed_comes_out_with_modes_links_and_times() {
    let source = tempfile::tempdir().unwrap();
    let path = |name: &str| source.path().join(name);
    fs::create_dir(path("bin")).unwrap();
    fs::write(path("bin/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(path("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(path("data"), "x".repeat(100_000)).unwrap();
    symlink("bin/run", path("start")).unwrap();
    let sandbox = Sandbox::new(&["unpack"]);
    let archive = sandbox.directory().join("made.zip").display().to_string();
    let zip = Command::new("zip")
        .args(["-qry", &archive, "."])
        .current_dir(source.path())
        .status()
        .unwrap();
    assert!(zip.success());
    let target = sandbox.directory().join("out");
    let sandbox = sandbox.arguments(&[&archive, &target.display().to_string()]);
    sandbox.run().ends_with(0).prints("");
    assert_eq!(fs::metadata(target.join("bin/run")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_link(target.join("start")).unwrap().display().to_string(), "bin/run");
    assert_eq!(fs::read(target.join("data")).unwrap(), fs::read(path("data")).unwrap());
    let times = [&target, &source.path().to_path_buf()]
        .map(|root| fs::metadata(root.join("data")).unwrap().mtime());
    assert_eq!(times[0], times[1]);
    // A second time there is something in the way, and it stays as it is.
    sandbox.run().ends_with(65).says("is not empty");
    assert!(target.join("data").exists());
}

#[test]
fn a_refused_package_leaves_nothing() {
    let mut sandbox = Sandbox::new(&["unpack"]);
    let archive =
        sandbox.write("bad.zip", Package::default().file("a", "x").file("b/../../c", "x").bytes());
    let target = sandbox.directory().join("out");
    let sandbox = sandbox.arguments(&[&archive, &target.display().to_string()]);
    sandbox.run().ends_with(65).says("'..'").says("c");
    assert!(!target.exists());
    let sandbox = sandbox.arguments(&["--max-unpacked", "0"]);
    sandbox.run().ends_with(65);
}

#[test]
fn what_tar_packed_comes_out_however_it_is_packed() {
    let source = tempfile::tempdir().unwrap();
    let path = |name: &str| source.path().join(name);
    let deep = "directory/".repeat(20);
    fs::create_dir_all(path(&deep)).unwrap();
    fs::write(path(&deep).join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(path(&deep).join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(path("first"), "x").unwrap();
    fs::hard_link(path("first"), path("same")).unwrap();
    symlink("/nowhere", path("link")).unwrap();
    let holes = fs::File::create(path("holes")).unwrap();
    holes.set_len(1 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&holes, b"end", 1 << 19).unwrap();
    for format in ["gnu", "pax", "ustar"] {
        for packed in [None, Some("-z"), Some("--zstd")] {
            let sandbox = Sandbox::new(&["unpack"]);
            // The name says nothing.
            let archive = sandbox.directory().join("package").display().to_string();
            let tar = Command::new("tar")
                .args(packed)
                .args((format != "ustar").then_some("-S"))
                .args(["--format", format, "-cf", &archive, "."])
                .current_dir(source.path())
                .status()
                .unwrap();
            assert!(tar.success());
            let target = sandbox.directory().join("out");
            let sandbox = sandbox.arguments(&[&archive, &target.display().to_string()]);
            sandbox.run().ends_with(0).prints("");
            let same = Command::new("diff")
                .args(["-r", "--no-dereference"])
                .args([source.path(), &target])
                .status()
                .unwrap();
            assert!(same.success(), "{format} {packed:?}");
            let seen = |root: &std::path::Path, name: &str| {
                let seen = fs::symlink_metadata(root.join(name)).unwrap();
                (seen.mode(), seen.nlink(), seen.mtime())
            };
            for name in ["same", "link", "holes", &deep, &(deep.clone() + "run")] {
                assert_eq!(seen(&target, name), seen(source.path(), name), "{format} {name}");
            }
        }
    }
}

#[test]
fn a_file_that_is_no_archive_is_refused_by_name() {
    let mut sandbox = Sandbox::new(&["unpack"]);
    let archive = sandbox.write("notes.txt", b"hello");
    let target = sandbox.directory().join("out");
    let sandbox = sandbox.arguments(&[&archive, &target.display().to_string()]);
    sandbox.run().ends_with(65).says("expected a zip, tar, tar.gz or tar.zst file").says("hello");
    assert!(!target.exists());
}
