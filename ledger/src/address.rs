//! Where a ledger is, and a job in it: `s3://bucket/prefix[/jobs/ID]`, `file:///directory[/jobs/ID]`.
//! Pure: nothing is opened here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path as Key;
use thiserror::Error;
use url::Url;

use crate::id::{IdError, JobId};

/// The place below which a ledger's objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// An absolute directory. It need not exist.
    Directory(PathBuf),
    /// A prefix in a bucket.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: Key,
    },
}

/// A ledger, or a job in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The ledger.
    pub root: Root,
    /// The job, where the address ends with `/jobs/ID`.
    pub job: Option<JobId>,
}

/// What is wrong with an address.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// It begins with neither `s3://` nor `file:///`.
    #[error(
        "expected a ledger address like `s3://bucket/prefix` or `file:///directory`, with `/jobs/ID` for a job, found `{0}`"
    )]
    Scheme(String),
    /// The bucket cannot be one (S3 user guide, bucket naming rules).
    #[error(
        "expected a bucket name of 3 to 63 lower-case letters, digits, `.` and `-` in `{address}`, found `{bucket}`"
    )]
    Bucket {
        /// The whole address.
        address: String,
        /// Its bucket.
        bucket: String,
    },
    /// The directory is not absolute, on another machine, or no path.
    #[error("expected an absolute directory like `file:///var/ledger`, found `{0}`")]
    Directory(String),
    /// The prefix has an empty segment, `.` or `..`.
    #[error("expected a prefix of non-empty segments in `{address}`: {problem}")]
    Prefix {
        /// The whole address.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// The part after `/jobs/` cannot name a job.
    #[error("the address `{address}` does not end in a job")]
    Job {
        /// The whole address.
        address: String,
        /// What is wrong with it.
        source: IdError,
    },
}

impl Root {
    /// The address of an object, for people and programs that read it: `s3://bucket/key`.
    pub fn object(&self, key: &str) -> String {
        format!("{self}/{key}")
    }

    /// The address of a job.
    pub fn job(&self, id: &JobId) -> Address {
        Address { root: self.clone(), job: Some(id.clone()) }
    }

    /// What all keys begin with in the store that holds them: directories are below `/`.
    pub(crate) fn prefix(&self) -> Result<Key, AddressError> {
        match self {
            Self::S3 { prefix, .. } => Ok(prefix.clone()),
            Self::Directory(path) => Key::from_absolute_path(path)
                .map_err(|_| AddressError::Directory(path.display().to_string())),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let trimmed = text.trim_end_matches('/');
        let (root, job) = match split_job(trimmed) {
            Some((root, id)) => {
                let wrap = |source| AddressError::Job { address: text.to_owned(), source };
                (root, Some(id.parse().map_err(wrap)?))
            }
            None => (if trimmed.ends_with(':') { text } else { trimmed }, None),
        };
        Ok(Self { root: root.parse()?, job })
    }
}

/// `…/jobs/ID`: the last but one segment decides.
fn split_job(text: &str) -> Option<(&str, &str)> {
    let (front, id) = text.rsplit_once('/')?;
    Some((front.strip_suffix("/jobs")?, id))
}

impl FromStr for Root {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("s3://") {
            return s3(text, rest);
        }
        if text.starts_with("file:") {
            return directory(text);
        }
        Err(AddressError::Scheme(text.to_owned()))
    }
}

fn s3(text: &str, rest: &str) -> Result<Root, AddressError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(allowed) {
        let bucket = bucket.to_owned();
        return Err(AddressError::Bucket { address: text.to_owned(), bucket });
    }
    let refused = |problem| AddressError::Prefix { address: text.to_owned(), problem };
    if prefix.starts_with('/') {
        return Err(refused("it begins with an empty one".to_owned()));
    }
    let prefix = Key::parse(prefix).map_err(|error| refused(error.to_string()))?;
    Ok(Root::S3 { bucket: bucket.to_owned(), prefix })
}

fn directory(text: &str) -> Result<Root, AddressError> {
    let refused = || AddressError::Directory(text.to_owned());
    if !text.starts_with("file:///") {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    let root = Root::Directory(url.to_file_path().map_err(|()| refused())?);
    root.prefix().map_err(|_| refused())?;
    Ok(root)
}

impl fmt::Display for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => match Url::from_file_path(path) {
                Ok(url) => formatter.write_str(url.as_str().trim_end_matches('/')),
                Err(()) => write!(formatter, "{}", path.display()),
            },
            Self::S3 { bucket, prefix } if prefix.as_ref().is_empty() => {
                write!(formatter, "s3://{bucket}")
            }
            Self::S3 { bucket, prefix } => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.job {
            Some(job) => write!(formatter, "{}/jobs/{job}", self.root),
            None => write!(formatter, "{}", self.root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        for text in [
            "s3://bucket",
            "s3://bucket/prefix",
            "s3://my.bucket-1/deep/er/jobs/8f0d-1",
            "s3://bucket/jobs/x",
            "file:///var/ledger",
            "file:///var/with%20space",
            "file:///var/ledger/jobs/8f0d-1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let job: Address = "s3://bucket/p/jobs/x/".parse().unwrap();
        assert_eq!(job.root.to_string(), "s3://bucket/p");
        assert_eq!(job.job.unwrap().as_str(), "x");
        let root: Address = "s3://bucket/p/".parse().unwrap();
        assert_eq!((root.to_string().as_str(), root.job), ("s3://bucket/p", None));
    }

    #[test]
    fn a_directory_with_unusual_characters_is_that_directory() {
        let root: Root = "file:///tmp/a%20b%25c%23d".parse().unwrap();
        assert_eq!(root, Root::Directory("/tmp/a b%c#d".into()));
        assert_eq!(root.to_string(), "file:///tmp/a%20b%25c%23d");
    }

    #[test]
    fn each_bad_address_says_what_is_wrong() {
        let table = [
            ("", "expected a ledger address"),
            ("bucket/prefix", "expected a ledger address"),
            ("https://bucket.s3.amazonaws.com/x", "expected a ledger address"),
            ("s3://", "expected a bucket name"),
            ("s3://No_Bucket/x", "found `No_Bucket`"),
            ("s3://bucket//x", "non-empty segments"),
            ("s3://bucket/../x", "non-empty segments"),
            ("file://host/x", "expected an absolute directory"),
            ("file:x", "expected an absolute directory"),
            ("s3://bucket/jobs/.x", "does not end in a job"),
        ];
        for (text, expected) in table {
            let found = text.parse::<Address>().unwrap_err().to_string();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
