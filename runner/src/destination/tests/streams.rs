//! Records without a limit.

use futures_util::TryStreamExt as _;
use ledger::Pieces;

use super::*;
use crate::destination::stream::{line, whole};

async fn text(pieces: io::Result<Pieces>) -> String {
    let pieces: Vec<Bytes> = pieces.unwrap().try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn expected(response: &[u8]) -> String {
    record("1", Condition::Success).whole(response).expose().get().to_owned()
}

#[tokio::test]
async fn a_large_response_is_what_a_small_one_would_be() {
    let table: [&[&[u8]]; 7] = [
        &[b"{\"a\":", b" [1.0, ", b"\"\xc3", b"\xa9\"]}"],
        &[b"plain \"te", b"xt\"\n\\"],
        &[b"{\"cut"],
        &[b"\xff\xc3", b"\xa9\xf0\x9f"],
        &[b"null", b"!"],
        &[b"\0\x1f"],
        &[b"\"", b"\""],
    ];
    for bits in table {
        assert_eq!(
            text(whole(&unkept("1", bits)).await).await,
            expected(&bits.concat()),
            "{bits:?}"
        );
    }
    assert_eq!(text(whole(&answered("1", "2")).await).await, expected(b"2"));
}

#[tokio::test]
async fn a_large_event_is_what_a_small_one_would_be() {
    for (bits, response) in
        [(&[&b" [1.0, "[..], b"2]"][..], "3"), (&[b"\"\xc3", b"\xa9\""], "null")]
    {
        let record = InvocationRecord { request: None, ..record("", Condition::Success) };
        let mut outcome = Outcome::new(1, record.whole(response.as_bytes()), Facts::new(1, 0.0));
        let bytes = bits.concat().len() as u64;
        outcome.request = Some(Stored { key: "k".into(), bytes, sha256: String::new() });
        let sources = Sources { request: Some(source(bits)), ..Sources::default() };
        let parcel = Parcel::of(&outcome, sources, None).unwrap();
        let small = String::from_utf8(bits.concat()).unwrap();
        let expected = self::record(&small, Condition::Success).whole(response.as_bytes());
        let same = |found: String| {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&found), value(expected.expose().get()));
        };
        same(text(whole(&parcel).await).await);
        let parcel = parcel.at_hand().await.unwrap();
        assert_eq!(text(whole(&parcel).await).await, expected.expose().get());
    }
}

#[tokio::test]
async fn what_most_carriers_have_room_for_is_at_hand() {
    use crate::destination::parcel::Value;
    let bytes = vec![b'1'; (1 << 20) + 1];
    for (length, expected) in [(300 << 10, true), (1 << 20, true), ((1 << 20) + 1, false)] {
        for parcel in [unkept("1", &[&bytes[..length]]), large("1", &[&bytes[..length]])] {
            let parcel = parcel.at_hand().await.unwrap();
            assert_eq!(matches!(parcel.response, Value::Small(..)), expected, "{length}");
        }
    }
}

#[tokio::test]
async fn a_line_has_one_break() {
    let response: &[&[u8]] = &[b"{\r\n \"a\":\n", b"\"\\n\"}"];
    let found = text(line(&unkept("{\n}", response)).await).await;
    assert_eq!(found.matches(['\n', '\r']).count(), 1);
    let value: serde_json::Value = serde_json::from_str(found.trim_end()).unwrap();
    assert_eq!(value["responsePayload"]["a"], "\n");
}
