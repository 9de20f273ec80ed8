//! Frames as captured from runtimes, in pieces and among other things.

use proptest::prelude::*;

use super::*;

fn framed(kind: u8, text: &[u8], micros: Option<u64>) -> Vec<u8> {
    let mut bytes = vec![0xA5, 0x5A, 0x00, kind];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(micros.map_or(Vec::new(), |micros| micros.to_be_bytes().to_vec()));
    bytes.extend(text);
    bytes
}

fn taken(frames: &mut Frames, bytes: &[u8]) -> Vec<(String, Head)> {
    let mut out = Vec::new();
    frames.take(bytes, &mut |frame| {
        out.push((String::from_utf8(frame.text.to_vec()).unwrap(), frame.head));
    });
    out
}

const fn said(json: bool, level: Option<Level>, micros: Option<u64>) -> Head {
    Head { json, level, micros }
}

#[test]
fn the_types_seen_on_the_wire_are_known() {
    let table = [
        (0x03, said(false, None, Some(7))),
        (0x02, said(true, None, Some(7))),
        (0x0F, said(false, Some(Level::Info), Some(7))),
        (0x17, said(false, Some(Level::Error), Some(7))),
        (0x16, said(true, Some(Level::Error), Some(7))),
        (0x1B, said(false, Some(Level::Fatal), Some(7))),
    ];
    for (kind, head) in table {
        let bytes = framed(kind, b"x", Some(7));
        assert_eq!(taken(&mut Frames::default(), &bytes), [("x".to_owned(), head)]);
    }
    let legacy = framed(0x01, b"x", None);
    assert_eq!(taken(&mut Frames::default(), &legacy), [("x".to_owned(), said(false, None, None))]);
}

#[test]
fn a_message_of_several_lines_is_one_record() {
    let mut frames = Frames::default();
    let bytes = [framed(0x0F, b"one\ntwo\n", Some(1)), framed(0x0F, b"", Some(2))].concat();
    let found: Vec<_> = taken(&mut frames, &bytes).into_iter().map(|(text, _)| text).collect();
    assert_eq!(found, ["one\ntwo", ""]);
    assert_eq!(frames.garbage(), 0);
}

#[test]
fn a_header_that_cannot_be_one_is_passed_over() {
    let good = framed(0x03, b"good", Some(1));
    let huge = [0xA5, 0x5A, 0x00, 0x03, 0xFF, 0xFF, 0xFF, 0xFF];
    for (bad, size) in [
        (&huge[..], 8),
        (&[0xA5, 0x5A, 0x00, 0x1F][..], 4),
        (&[0xA5, 0x5A, 0x00, 0x83][..], 4),
        (&[0xA5, 0x5A, 0x01][..], 3),
        (&[0xA5, 0xA5, 0x5A][..], 3),
        (b"printed by mistake\n", 19),
    ] {
        let mut frames = Frames::default();
        let found = taken(&mut frames, &[bad, &good].concat());
        assert_eq!(found.len(), 1, "{bad:?}");
        assert_eq!(found[0].0, "good");
        assert_eq!(frames.garbage(), size, "{bad:?}");
        assert_eq!(frames.garbage(), 0);
    }
}

#[test]
fn a_long_message_does_not_pile_up() {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    let text = vec![b'x'; 3 * LONGEST_TEXT + 5];
    for chunk in framed(0x03, &text, Some(1)).chunks(16 << 10) {
        frames.take(chunk, &mut |frame| found.push(frame.text.len()));
        assert!(frames.held.len() < LONGEST_TEXT + (16 << 10));
    }
    assert_eq!(found, [LONGEST_TEXT, LONGEST_TEXT, LONGEST_TEXT, 5]);
}

#[test]
fn the_end_of_the_channel_ends_a_frame() {
    let mut frames = Frames::default();
    let bytes = framed(0x03, b"all of it", Some(1));
    assert_eq!(taken(&mut frames, &bytes[..bytes.len() - 3]), []);
    let mut rest = Vec::new();
    frames.end(&mut |frame| rest.extend_from_slice(frame.text));
    assert_eq!(rest, b"all of");
    assert_eq!(taken(&mut frames, &bytes[..7]), []);
    frames.end(&mut |_| panic!("there is no message"));
    assert_eq!(frames.garbage(), 7);
}

/// Bytes that no header can begin in.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>().prop_filter("no magic", |byte| *byte != MAGIC[0]), 0..20)
}

proptest! {
    /// However the bytes are cut, and whatever is between them, every frame arrives as it was.
    #[test]
    fn frames_survive_cuts_and_garbage(
        parts in prop::collection::vec((garbage(), 0..0x1C_u8, any::<Vec<u8>>()), 0..10),
        cuts in prop::collection::vec(1..40_usize, 1..20),
    ) {
        let (mut bytes, mut expected, mut lost) = (Vec::new(), Vec::new(), 0);
        for (garbage, kind, text) in &parts {
            bytes.extend(garbage);
            lost += garbage.len() as u64;
            bytes.extend(framed(*kind, text, (kind & 2 != 0).then_some(9)));
            expected.push(text.strip_suffix(b"\n").unwrap_or(text).to_vec());
        }
        let (mut frames, mut found, mut rest) = (Frames::default(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            let (chunk, more) = rest.split_at((*cut).min(rest.len()));
            frames.take(chunk, &mut |frame| found.push(frame.text.to_vec()));
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(frames.garbage(), lost);
    }

    /// No bytes do any harm, and all of them are accounted for.
    #[test]
    fn any_bytes_are_frames_or_garbage(bytes: Vec<u8>) {
        let (mut frames, mut text) = (Frames::default(), 0);
        frames.take(&bytes, &mut |frame| text += frame.text.len());
        frames.end(&mut |frame| text += frame.text.len());
        prop_assert!(text as u64 + frames.garbage() <= bytes.len() as u64);
    }
}
