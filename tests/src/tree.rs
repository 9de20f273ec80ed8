//! Directory trees, as tests look at them.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// Everything below a directory, by its path in it. Links are not followed.
pub fn walk(root: &Path) -> BTreeMap<PathBuf, Metadata> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            found.insert(path.strip_prefix(root).unwrap().to_path_buf(), metadata.clone());
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    found
}
