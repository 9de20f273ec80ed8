//! What S3 says of a new object, directly or through EventBridge: Lambda's records in a bucket. Pure; reading the
//! object is left to others.

use percent_encoding::percent_decode_str;

use super::view::View;
use super::{Known, Object, Understood};

/// What the keys of Lambda's records begin with.
const RECORDS: &str = "aws/lambda/";

/// The object that this notification points to, if it is one of Lambda's records.
pub(super) fn of(body: &[u8], known: &Known) -> Option<Understood> {
    let view = View::of(body)?;
    if view.text("Event").as_deref() == Some("s3:TestEvent") && !view.has("Records") {
        return Some(Understood::Ignore("S3 tests whether the queue can be reached".to_owned()));
    }
    let object = direct(&view).or_else(|| by_bus(&view))?;
    let wanted = known.record_buckets.is_empty() || known.record_buckets.contains(&object.bucket);
    (wanted && object.key.starts_with(RECORDS)).then_some(Understood::Fetch(object))
}

/// Keys are encoded as forms are: `+` for a space.
fn direct(view: &View<'_>) -> Option<Object> {
    let record = view.first("Records")?;
    if record.text("eventSource").as_deref() != Some("aws:s3") {
        return None;
    }
    let s3 = record.object("s3")?;
    let object = s3.object("object")?;
    let key = object.text("key")?.replace('+', " ");
    Some(Object {
        bucket: s3.object("bucket")?.text("name")?,
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
        version: object.text("versionId"),
    })
}

/// Keys are not encoded.
fn by_bus(view: &View<'_>) -> Option<Object> {
    let is_object = view.text("source").as_deref() == Some("aws.s3")
        && view.text("detail-type").as_deref() == Some("Object Created");
    if !is_object {
        return None;
    }
    let detail = view.object("detail")?;
    let object = detail.object("object")?;
    Some(Object {
        bucket: detail.object("bucket")?.text("name")?,
        key: object.text("key")?,
        version: object.text("version-id"),
    })
}
