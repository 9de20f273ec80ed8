//! The hazards of zip packages and what must come of each: one table, a function for each kind of
//! hazard; those of tars are in `tar_hazards`. Who unpacks them, and how, is not known here.

use super::made::{Facts, Member, directory, extra, file, link, zip, zip_behind};

/// What must come of a package.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It is unpacked, and these lines, sorted, are what is there: `file: contents` (`N bytes` if there are
    /// many), `program*: contents`, `directory/`, `link -> target`; with ` [mode]` where it is not the usual
    /// one, and ` @seconds` where a file's time of modification is not the builder's.
    Tree(Vec<String>),
    /// It is refused with a message that holds this text, and nothing is left.
    Refused(&'static str),
}

use Outcome::Refused;

/// One hazardous package.
#[derive(Clone, Debug)]
pub(super) struct Hazard {
    /// What is hazardous.
    pub(super) name: String,
    /// The package.
    pub(super) package: Vec<u8>,
    /// What must come of it.
    pub(super) outcome: Outcome,
}

pub(super) fn row(name: impl Into<String>, package: Vec<u8>, outcome: Outcome) -> Hazard {
    Hazard { name: name.into(), package, outcome }
}

pub(super) fn tree(lines: &[&str]) -> Outcome {
    Outcome::Tree(lines.iter().map(|line| (*line).to_owned()).collect())
}

/// All of them.
pub(super) fn hazards() -> Vec<Hazard> {
    let kinds: [fn() -> Vec<Hazard>; 17] = [
        descriptors,
        lying_descriptors,
        zip64,
        unsupported,
        duplicates,
        conflicts,
        names,
        spellings,
        backslashes,
        links,
        special_files,
        modes,
        times,
        bombs,
        disagreements,
        contents,
        layout,
    ];
    kinds.into_iter().flat_map(|kind| kind()).collect()
}

/// Facts behind the data, in the four shapes that tools write.
fn descriptors() -> Vec<Hazard> {
    let nested = zip(&[file("inner", "x").streamed(true, false)]);
    let within = format!("z: {} bytes", nested.len());
    let shapes = [(false, false), (false, true), (true, false), (true, true)];
    let shapes = shapes.into_iter().flat_map(|(signature, wide)| {
        let streamed = |member: Member| zip(&[member.streamed(signature, wide), file("b", "2")]);
        let name =
            |what| format!("{what}, descriptor with signature: {signature}, 64 bits: {wide}");
        [
            row(name("deflated"), streamed(file("a", "1").deflated()), tree(&["a: 1", "b: 2"])),
            row(name("stored"), streamed(file("a", "1")), tree(&["a: 1", "b: 2"])),
            row(name("empty, stored"), streamed(file("a", "")), tree(&["a: ", "b: 2"])),
            row(
                name("empty, deflated"),
                streamed(file("a", "").deflated()),
                tree(&["a: ", "b: 2"]),
            ),
        ]
    });
    let spoken =
        file("a", "1").streamed(true, false).local(|facts| (facts.packed, facts.size) = (1, 1));
    let others = [
        row(
            "a zip in a zip, stored, streamed",
            zip(&[file("z", &nested).streamed(true, false)]),
            tree(&[&within]),
        ),
        row("sizes before and behind the data", zip(&[spoken]), tree(&["a: 1"])),
        row(
            "deferred, but said before the data, nothing behind",
            zip(&[file("a", "1").both(|facts| facts.flags = 8)]),
            tree(&["a: 1"]),
        ),
        row(
            "a directory with a descriptor",
            zip(&[directory("d/").streamed(true, false)]),
            tree(&["d/"]),
        ),
    ];
    shapes.chain(others).collect()
}

/// Descriptors that are not there or say something else.
fn lying_descriptors() -> Vec<Hazard> {
    let lie = |at: usize| {
        let mut member = file("a", "abc").deflated().streamed(true, false);
        member.behind[at] ^= 1;
        zip(&[member])
    };
    let missing = Member { behind: Vec::new(), ..file("a", "abc").streamed(true, false) };
    let refused = Refused("expected a data descriptor");
    vec![
        row("another CRC-32 in the descriptor", lie(4), refused.clone()),
        row("another packed size in the descriptor", lie(8), refused.clone()),
        row("another size in the descriptor", lie(12), refused.clone()),
        row("no descriptor", zip(&[missing]), refused),
    ]
}

/// A header whose sizes are in the zip64 field.
fn wide(facts: &mut Facts) {
    let sizes = [facts.size, facts.packed].map(|size| u64::from(size).to_le_bytes()).concat();
    facts.extra.extend(extra(1, &sizes));
    (facts.size, facts.packed) = (u32::MAX, u32::MAX);
}

/// The last record of a package replaced by a zip64 one, its locator, and one that points there.
fn wide_end(package: &[u8], change: fn(&mut [u8])) -> Vec<u8> {
    let (body, end) = package.split_at(package.len() - 22);
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&end[at..at + length]);
        bytes
    };
    let head = [b"PK\x06\x06", &44_u64.to_le_bytes()[..], &[45, 3, 45, 0], &[0; 8]].concat();
    let numbers = [number(8, 2), number(10, 2), number(12, 4), number(16, 4)].concat();
    let mut record = [head, numbers].concat();
    change(&mut record);
    let place = (body.len() as u64).to_le_bytes();
    let locator = [b"PK\x06\x07\0\0\0\0", &place[..], &[1, 0, 0, 0]].concat();
    let last = [b"PK\x05\x06\0\0\0\0", &[0xff; 12][..], &[0; 2]].concat();
    [body, &record, &locator, &last].concat()
}

/// Sizes, offsets and counts of 64 bits.
fn zip64() -> Vec<Hazard> {
    let both = |member: Member| member.both(wide);
    let short = |facts: &mut Facts| facts.extra = extra(1, &[1, 0, 0, 0, 0, 0, 0, 0]);
    let plain = zip(&[file("a", "1")]);
    vec![
        row("zip64 sizes in both headers", zip(&[both(file("a", "1"))]), tree(&["a: 1"])),
        row("zip64 sizes, streamed", zip(&[file("a", "1").streamed(true, true)]), tree(&["a: 1"])),
        row("zip64 end record", wide_end(&plain, |_| ()), tree(&["a: 1"])),
        row("zip64 end record, no entries", wide_end(&zip(&[]), |_| ()), tree(&[])),
        row(
            "zip64 field too short",
            zip(&[both(file("a", "1")).both(short)]),
            Refused("a zip64 field"),
        ),
        row(
            "zip64 field missing",
            zip(&[file("a", "1").both(|facts| facts.size = u32::MAX)]),
            Refused("a zip64 field"),
        ),
        row(
            "two zip64 fields",
            zip(&[both(file("a", "1")).both(|facts| facts.extra.extend(extra(1, &[0; 16])))]),
            Refused("each extra field once"),
        ),
        row(
            "an enormous size",
            zip(&[file("a", "").both(|facts| {
                facts.extra = extra(1, &[0xff; 16]);
                (facts.size, facts.packed) = (u32::MAX, u32::MAX);
            })]),
            Refused("bytes when unpacked"),
        ),
        row(
            "zip64 end record counts more",
            wide_end(&plain, |record| record[24..40].fill(2)),
            Refused("entries"),
        ),
        row(
            "zip64 end record elsewhere",
            wide_end(&plain, |record| record[48] += 1),
            Refused("right before the end"),
        ),
        row(
            "zip64 end record of another kind",
            wide_end(&plain, |record| record[4] += 1),
            Refused("zip64 end record"),
        ),
        row(
            "zip64 end record on other disks",
            wide_end(&plain, |record| record[16] = 1),
            Refused("zip64 end record"),
        ),
    ]
}

/// What no Lambda package has.
fn unsupported() -> Vec<Hazard> {
    let flag = |bit: u16| zip(&[file("a", "1").both(|facts| facts.flags = 1 << bit)]);
    let method = |code: u16| zip(&[file("a", "1").both(|facts| facts.method = code)]);
    let mut disk = zip(&[file("a", "1")]);
    let at = disk.len() - 22 - 47 + 34;
    disk[at] = 1;
    let encryption = "encryption is not supported";
    let mut rows = vec![
        row("encrypted", flag(0), Refused(encryption)),
        row("strongly encrypted", flag(6), Refused(encryption)),
        row("masked headers", flag(13), Refused(encryption)),
        row("patched", flag(5), Refused("patched data")),
        row("on another disk", disk, Refused("another disk")),
    ];
    let names = [
        (1, "shrink"),
        (6, "implode"),
        (9, "deflate64"),
        (12, "bzip2"),
        (14, "lzma"),
        (93, "zstd"),
        (95, "xz"),
    ];
    rows.extend(names.map(|(code, name)| row(name, method(code), Refused(name))));
    rows
}

/// One path twice.
fn duplicates() -> Vec<Hazard> {
    let twice = "twice, with different contents";
    let dos = file(r"d\a", "2").host(0);
    vec![
        row("a file twice, the same", zip(&[file("a", "1"), file("a", "1")]), tree(&["a: 1"])),
        row(
            "a file twice, the later one executable",
            zip(&[file("a", "1"), file("a", "1").mode(0o100_755)]),
            tree(&["a*: 1"]),
        ),
        row("a directory twice", zip(&[directory("d/"), directory("d/")]), tree(&["d/"])),
        row("a file twice, different", zip(&[file("a", "1"), file("a", "2")]), Refused(twice)),
        row("twice by way of ./", zip(&[file("a", "1"), file("./a", "2")]), Refused(twice)),
        row("twice by way of //", zip(&[file("d/a", "1"), file("d//a", "2")]), Refused(twice)),
        row("twice by way of a backslash", zip(&[file("d/a", "1"), dos]), Refused(twice)),
        row("a file and a link", zip(&[file("a", "1"), link("a", "1")]), Refused(twice)),
        row("two links", zip(&[link("a", "1"), link("a", "2")]), Refused(twice)),
        row(
            "the same but for case",
            zip(&[file("a", "1"), file("A", "2")]),
            tree(&["A: 2", "a: 1"]),
        ),
    ]
}

/// One path as a file and as a directory.
fn conflicts() -> Vec<Hazard> {
    let refused = Refused("it is no directory, but");
    let twice = Refused("twice, with different contents");
    vec![
        row("a file, then below it", zip(&[file("a", "1"), file("a/b", "2")]), refused.clone()),
        row("below it, then a file", zip(&[file("a/b", "2"), file("a", "1")]), refused.clone()),
        row(
            "a file, then far below it",
            zip(&[file("a", "1"), file("a/b/c/d", "2")]),
            refused.clone(),
        ),
        row("a file and a directory", zip(&[file("a", "1"), directory("a/")]), twice.clone()),
        row("a directory and a file", zip(&[directory("a/"), file("a", "1")]), refused),
        row("a link and a directory", zip(&[link("a", "/tmp"), directory("a/")]), twice),
        row(
            "a neighbour that sorts between",
            zip(&[file("a.b", "1"), file("a/b", "2")]),
            tree(&["a.b: 1", "a/", "a/b: 2"]),
        ),
    ]
}

/// Names that are no paths below a directory, or too much of one.
fn names() -> Vec<Hazard> {
    let one = |name: &str| zip(&[file("good", "x"), file(name, "1")]);
    let (absolute, up, dot) =
        (Refused("is absolute"), Refused("contains '..'"), Refused("ends in '.'"));
    let long = "x".repeat(255);
    let sneaky = file("a\0.txt", "1").both(|facts| facts.flags = 1 << 11);
    vec![
        row("absolute", one("/etc/cron.d/x"), absolute.clone()),
        row("absolute with two slashes", one("//a"), absolute),
        row("..", one(".."), up.clone()),
        row("../ first", one("../canary"), up.clone()),
        row("../ inside", one("a/../../canary"), up.clone()),
        row("../ that stays inside", one("a/../b"), up.clone()),
        row("../ after ./", one("./../canary"), up.clone()),
        row("/.. last", one("a/.."), up.clone()),
        row("a directory ../", zip(&[directory("../")]), up.clone()),
        row("a link ../", zip(&[link("../l", "canary")]), up),
        row("empty", one(""), Refused("is empty")),
        row("NUL", one("a\0b"), Refused("NUL")),
        row("NUL in UTF-8", zip(&[sneaky]), Refused("NUL")),
        row("only a dot", one("."), dot.clone()),
        row("a dot last", one("a/."), dot),
        row("only slashes between", one("a///b"), tree(&["a/", "a/b: 1", "good: x"])),
        row("the root itself", zip(&[directory("./"), file("./a", "1")]), tree(&["a: 1"])),
        row(
            "a file named with a slash",
            zip(&[file("a/", "1")]),
            Refused("whose name ends in '/'"),
        ),
        row("the longest component", one(&long), tree(&["good: x", &format!("{long}: 1")])),
        row("a component too long", one(&format!("{long}x")), Refused("256 found, 255 allowed")),
        row(
            "a path too long",
            one(&(format!("{long}/").repeat(16) + "x")),
            Refused("4097 found, 4095 allowed"),
        ),
        row(
            "too deep",
            one(&("d/".repeat(256) + "f")),
            Refused("directory levels in its name: 257 found"),
        ),
        row("dots that are names", one("..."), tree(&["...: 1", "good: x"])),
        row("a dash, a space, a line feed", one("-rf \n"), tree(&["-rf \n: 1", "good: x"])),
        row("a drive", one("C:/x"), tree(&["C:/", "C:/x: 1", "good: x"])),
        row(
            "a whiteout is a name like any other",
            one(".wh.good"),
            tree(&[".wh.good: 1", "good: x"]),
        ),
        row(
            "the unpacker's own name",
            one(".unpacking-0000000000000000"),
            tree(&[".unpacking-0000000000000000: 1", "good: x"]),
        ),
    ]
}

/// Names in more than one spelling, or in an old one.
fn spellings() -> Vec<Hazard> {
    let utf8 = |member: Member| member.both(|facts| facts.flags |= 1 << 11);
    let field = |of: &[u8], name: &[u8]| extra(0x7075, &[&[1], &crc(of)[..], name].concat());
    let other = |name: &'static str, of: &[u8]| {
        let field = field(of, name.as_bytes());
        file("a", "1").both(|facts| facts.extra.clone_from(&field))
    };
    let one_name = Refused("another one in its Unicode path field");
    vec![
        row("UTF-8 with its mark", zip(&[utf8(file("d/世界", "1"))]), tree(&["d/", "d/世界: 1"])),
        row(
            "UTF-8 with its mark, from FAT",
            zip(&[utf8(file("世界", "1")).host(0)]),
            tree(&["世界: 1"]),
        ),
        row("UTF-8 without, as macOS", zip(&[file("世界", "1")]), tree(&["世界: 1"])),
        row(
            "the mark without UTF-8",
            zip(&[utf8(file(b"\xff\xfe", "1"))]),
            Refused("marked as UTF-8 and is not"),
        ),
        row("code page 437", zip(&[file(b"caf\x82", "1").host(0)]), tree(&["café: 1"])),
        row("a Unicode path", zip(&[other("世", b"a")]), tree(&["世: 1"])),
        row("a Unicode path of another name", zip(&[other("世", b"b")]), tree(&["a: 1"])),
        row("a Unicode path that hides one", zip(&[other("b", b"a")]), one_name.clone()),
        row("a Unicode path that leaves", zip(&[other("../b", b"a")]), one_name.clone()),
        row(
            "a Unicode path that leaves, not ASCII",
            zip(&[other("../世", b"a")]),
            Refused("contains '..'"),
        ),
        row("a Unicode path beside the mark", zip(&[utf8(other("世", b"a"))]), one_name),
    ]
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// Backslashes: directories where the host has them, else a byte like any other.
fn backslashes() -> Vec<Hazard> {
    let up = Refused("contains '..'");
    let on = |host: u8, name: &str| zip(&[file(name, "1").mode(0).host(host)]);
    vec![
        row("from Windows", on(0, r"d\a"), tree(&["d/", "d/a: 1"])),
        row("from NTFS", on(10, r"d\a"), tree(&["d/", "d/a: 1"])),
        row("from Unix", on(3, r"d\a"), tree(&[r"d\a: 1"])),
        row("upwards from Windows", on(0, r"..\canary"), up.clone()),
        row("upwards and down from Windows", on(0, r"a\..\..\canary"), up),
        row("upwards from Unix is a name", on(3, r"..\canary"), tree(&[r"..\canary: 1"])),
        row("absolute from Windows", on(0, r"\a"), Refused("is absolute")),
        row("a directory from Windows", zip(&[file(r"d\", "").mode(0).host(0)]), tree(&["d/"])),
    ]
}

/// Symbolic links, which are kept as they are and never followed.
fn links() -> Vec<Hazard> {
    let through = |target: &str, name: &str| zip(&[link("l", target), file(name, "1")]);
    let conflict = Refused("it is no directory, but");
    vec![
        row("a link", zip(&[file("a", "1"), link("l", "a")]), tree(&["a: 1", "l -> a"])),
        row(
            "a deflated, streamed link",
            zip(&[link("l", "a").deflated().streamed(true, false)]),
            tree(&["l -> a"]),
        ),
        row("a dangling link", zip(&[link("l", "nowhere")]), tree(&["l -> nowhere"])),
        row("an absolute link", zip(&[link("l", "/etc/passwd")]), tree(&["l -> /etc/passwd"])),
        row(
            "a link upwards",
            zip(&[link("d/l", "../../canary")]),
            tree(&["d/", "d/l -> ../../canary"]),
        ),
        row("a link to itself", zip(&[link("l", "l")]), tree(&["l -> l"])),
        row("write through a link upwards", through("..", "l/canary"), conflict.clone()),
        row("write through an absolute link", through("/tmp", "l/canary"), conflict.clone()),
        row("write through a link, deeper", through("..", "l/d/canary"), conflict.clone()),
        row(
            "write through a link that comes later",
            zip(&[file("l/canary", "1"), link("l", "..")]),
            conflict.clone(),
        ),
        row("write through ./ and a link", through("..", "./l//canary"), conflict),
        row(
            "write to where a link points",
            through("../canary", "l"),
            Refused("twice, with different contents"),
        ),
        row("a link without target", zip(&[link("l", "")]), Refused("link target is empty")),
        row(
            "a target with NUL",
            zip(&[link("l", "a\0b")]),
            Refused("link target contains a NUL byte"),
        ),
        row(
            "a target too long",
            zip(&[link("l", "x".repeat(4096))]),
            Refused("4096 found, 4095 allowed"),
        ),
        row(
            "a link whose name ends in a slash",
            zip(&[link("l/", "a")]),
            Refused("whose name ends in '/'"),
        ),
        row("a link from Windows is a file", zip(&[link("l", "a").host(0)]), tree(&["l: a"])),
        row("a link from macOS", zip(&[link("l", "a").host(19)]), tree(&["l -> a"])),
    ]
}

/// Devices and their like.
fn special_files() -> Vec<Hazard> {
    let special =
        |format: u32, contents: &str| zip(&[file("a", contents).mode(format << 12 | 0o644)]);
    let refused = Refused("a device, pipe, socket or other special file");
    vec![
        row("a character device", special(0o02, ""), refused.clone()),
        row("a block device", special(0o06, ""), refused.clone()),
        row("a pipe", special(0o01, ""), refused.clone()),
        row("a socket", special(0o14, ""), refused.clone()),
        row("no known kind", special(0o17, ""), refused),
        row("what came through a pipe", special(0o01, "1"), tree(&["a: 1"])),
        row("a directory without a slash", special(0o04, ""), Refused("does not end in '/'")),
        row(
            "a directory with contents",
            zip(&[file("d/", "1").mode(0o040_755)]),
            Refused("directory with contents"),
        ),
    ]
}

/// Permissions: the owner's, everybody may read, nobody gets another user's rights.
fn modes() -> Vec<Hazard> {
    let mode = |bits: u32| zip(&[file("a", "1").mode(0o100_000 | bits)]);
    vec![
        row("0755", mode(0o755), tree(&["a*: 1"])),
        row("0700, as umask 077 packs", mode(0o700), tree(&["a*: 1"])),
        row("0600", mode(0o600), tree(&["a: 1"])),
        row("0", mode(0), tree(&["a [444]: 1"])),
        row("0777", mode(0o777), tree(&["a*: 1"])),
        row("set-user-id", mode(0o4755), tree(&["a*: 1"])),
        row("set-group-id and sticky", mode(0o3777), tree(&["a*: 1"])),
        row("read-only", mode(0o444), tree(&["a [444]: 1"])),
        row(
            "a closed directory with a file",
            zip(&[directory("d/").mode(0o040_000), file("d/a", "1")]),
            tree(&["d/ [555]", "d/a: 1"]),
        ),
        row("a set-group-id directory", zip(&[directory("d/").mode(0o042_775)]), tree(&["d/"])),
        row(
            "no mode at all",
            zip(&[file("a", "1").mode(0), directory("d/").mode(0)]),
            tree(&["a: 1", "d/"]),
        ),
        row("a mode from Windows", zip(&[file("a", "1").mode(0o100_755).host(0)]), tree(&["a: 1"])),
    ]
}

/// Times of modification.
fn times() -> Vec<Hazard> {
    let dos = |modified: [u16; 2]| zip(&[Member { modified, ..file("a", "1") }]);
    let unix = |contents: &[u8]| {
        let times = extra(0x5455, contents);
        zip(&[file("a", "1").both(|facts| facts.extra.clone_from(&times))])
    };
    vec![
        row("MS-DOS", dos([0xbf7d, 0x585d]), tree(&["a: 1 @1709251198"])),
        row("no date", dos([0, 0]), tree(&["a: 1 @315532800"])),
        row("no such date", dos([0xffff, 0xffff]), tree(&["a: 1 @315532800"])),
        row("Unix", unix(&[1, 1, 2, 3, 4]), tree(&["a: 1 @67305985"])),
        row(
            "Unix, all three",
            unix(&[7, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
            tree(&["a: 1 @67305985"]),
        ),
        row("Unix, before 1970", unix(&[1, 0xff, 0xff, 0xff, 0xff]), tree(&["a: 1 @-1"])),
        row("Unix, of access only", unix(&[2, 1, 2, 3, 4]), tree(&["a: 1"])),
        row("Unix, cut off", unix(&[1, 1, 2]), tree(&["a: 1"])),
        row(
            "extra fields that end too late",
            zip(&[file("a", "1").both(|facts| facts.extra = vec![1, 0, 9, 0, 0])]),
            Refused("extra fields within their space"),
        ),
    ]
}

/// Packages that are small and ask for much.
fn bombs() -> Vec<Hazard> {
    let claim = |name: &str, size: u32, packed: u32| {
        file(name, "x").both(|facts| (facts.size, facts.packed) = (size, packed))
    };
    let deflated = |size: u32| file("a", "x").deflated().both(|facts| facts.size = size);
    let zeros = file("z", vec![0; 1 << 20]).deflated().both(|facts| facts.size = 100);
    let many: Vec<Member> = (0..9).map(|at| claim(&format!("f{at}"), 30 << 20, 30 << 20)).collect();
    let (much, shared) = (Refused("bytes when unpacked"), Refused("its bytes overlap"));
    vec![
        row("more than 250 MiB declared", zip(&[claim("a", 300 << 20, 300 << 20)]), much.clone()),
        row("more than 250 MiB together", zip(&many), much),
        row(
            "more than deflate can",
            zip(&[deflated(2_000_000)]),
            Refused("larger than their packed form"),
        ),
        row("less declared than there is", zip(&[zeros]), Refused("100 declared")),
        row("over its neighbour", zip(&[claim("a", 40, 40), file("b", "1")]), shared.clone()),
        row("over the central directory", zip(&[claim("a", 9, 9)]), shared.clone()),
        row("many entries, one place", onto_one(300), shared),
        row("over the next one by its extra field", reaching(), Refused("expected a local header")),
        row(
            "one million entries in three bytes",
            counting(),
            Refused("as many entries as the end record counts"),
        ),
    ]
}

/// Entries that all begin at the start.
fn onto_one(entries: usize) -> Vec<u8> {
    let members: Vec<Member> = (0..entries).map(|at| file(format!("{at:03}"), "")).collect();
    let mut package = zip(&members);
    let heads = package.len() - 22 - entries * 49;
    for head in (0..entries).map(|at| heads + at * 49) {
        package[head + 42..head + 46].fill(0);
    }
    package
}

/// A local header whose extra field takes the next entry in.
fn reaching() -> Vec<u8> {
    let mut package = zip(&[file("a", "1"), file("b", "2")]);
    package[28] = 20;
    package
}

/// An end record that counts what is not there.
fn counting() -> Vec<u8> {
    let mut package = zip(&[file("a", "1")]);
    let end = package.len() - 22;
    package[end + 8..end + 12].fill(0xfe);
    package
}

/// Local headers that contradict the central directory.
fn disagreements() -> Vec<Hazard> {
    let lie = |change: fn(&mut Facts)| zip(&[file("good", "x"), file("a", "123").local(change)]);
    let spoken = |change: fn(&mut Facts)| {
        zip(&[file("a", "123").local(|facts| facts.flags = 8).local(change)])
    };
    let mut no_header = zip(&[file("a", "1")]);
    no_header[2] = 9;
    vec![
        row(
            "another name",
            lie(|facts| facts.name = b"b".to_vec()),
            Refused("its name in the local header as well"),
        ),
        row("a longer name", lie(|facts| facts.name = b"a/../../b".to_vec()), Refused("its name")),
        row(
            "another method",
            lie(|facts| facts.method = 8),
            Refused("its compression method is 0x8"),
        ),
        row(
            "encrypted in one of them",
            lie(|facts| facts.flags = 1),
            Refused("its encryption flags is"),
        ),
        row("another CRC-32", lie(|facts| facts.crc ^= 1), Refused("its CRC-32 is")),
        row("another size", lie(|facts| facts.size += 1), Refused("its size is")),
        row(
            "another packed size",
            lie(|facts| facts.packed = 2),
            Refused("its compressed size is"),
        ),
        row("another size, deferred", spoken(|facts| facts.size += 1), Refused("its size is")),
        row("another CRC-32, deferred", spoken(|facts| facts.crc ^= 1), Refused("its CRC-32 is")),
        row("no local header", no_header, Refused("expected a local header")),
        row(
            "another time",
            lie(|facts| facts.extra = extra(0x5455, &[1, 0, 0, 0, 0])),
            tree(&["a: 123", "good: x"]),
        ),
    ]
}

/// Contents that are not what was promised.
fn contents() -> Vec<Hazard> {
    let text = "0123456789".repeat(50);
    let resized = |by: isize| {
        let mut member = file("a", &text).deflated();
        let length = member.data.len().saturating_add_signed(by);
        member.data.resize(length, 0);
        let packed = u32::try_from(length).expect("small");
        zip(&[file("good", "x"), member.both(|facts| facts.packed = packed)])
    };
    let sized = |size: u32| zip(&[file("a", &text).deflated().both(|facts| facts.size = size)]);
    let damaged = Member { data: b"xyz".to_vec(), ..file("a", "123") };
    let lone = file("a", "\u{7}\u{7}\u{7}").both(|facts| facts.method = 8);
    vec![
        row("damaged", zip(&[file("good", "x"), damaged]), Refused("its CRC-32 is")),
        row("cut off", resized(-1), Refused("end too early")),
        row("going on", resized(1), Refused("go on after their end")),
        row("not deflated", zip(&[lone]), Refused("its compressed data are damaged")),
        row("longer", sized(499), Refused("499 declared")),
        row("shorter", sized(501), Refused("501 declared")),
        row(
            "stored, of two sizes",
            zip(&[file("a", "123").both(|facts| facts.size = 2)]),
            Refused("2 declared"),
        ),
    ]
}

/// Bytes that belong to no entry, and ends that are none.
fn layout() -> Vec<Hazard> {
    let members = [file("a", "1"), file("b", "2")];
    let package = zip(&members);
    let with = |before: &[u8], after: &[u8]| [before, &package, after].concat();
    let comment = |comment: &[u8]| {
        let mut package = package.clone();
        let length = u16::try_from(comment.len()).expect("small").to_le_bytes();
        let at = package.len() - 2;
        package[at..].copy_from_slice(&length);
        [package, comment.to_vec()].concat()
    };
    let gap = |bytes: &[u8]| zip(&[members[0].clone().behind(bytes), members[1].clone()]);
    let (end, start) =
        (Refused("the end record and its comment at the end"), Refused("an entry at the start"));
    let other = Refused("expected a zip, tar");
    let empty_end = zip(&[]);
    vec![
        row("no bytes", Vec::new(), Refused("expected a zip, tar")),
        row("no zip", b"<Error>NoSuchKey</Error>".to_vec(), Refused("expected a zip, tar")),
        row("no entries", empty_end.clone(), tree(&[])),
        row("a comment", comment(b"made by hand"), tree(&["a: 1", "b: 2"])),
        row("a comment that holds an end", comment(&empty_end), Refused("one end record")),
        row("a comment that holds a zip", comment(&package), Refused("end record")),
        row(
            "a comment that is cut off",
            comment(b"made").split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default(),
            end.clone(),
        ),
        row("cut off", package[..package.len() - 1].to_vec(), Refused("end record")),
        row("zeros behind", with(b"", &[0; 512]), tree(&["a: 1", "b: 2"])),
        row("something behind", with(b"", b"\r\n"), end),
        row("two zips", with(&package, b""), Refused("right before the end")),
        row(
            "a script line before",
            zip_behind(b"#!/usr/bin/env python3\n", &members),
            tree(&["a: 1", "b: 2"]),
        ),
        row("something before, offsets that know it", zip_behind(b"MZ", &members), other.clone()),
        row("a zip before, offsets that know it", zip_behind(&package, &members), start),
        row("something before, offsets that do not", with(b"MZ", b""), other),
        row("padding between entries", gap(&[0; 64]), tree(&["a: 1", "b: 2"])),
        row(
            "an entry that the directory does not have",
            gap(&zip(&[file("c", "3")])),
            Refused("another one behind it"),
        ),
        row("one behind a descriptor", hidden(), Refused("another one behind it")),
        row(
            "fewer in the directory than counted",
            recount(&package, 3),
            Refused("as many entries as the end record counts"),
        ),
        row(
            "more in the directory than counted",
            recount(&package, 1),
            Refused("as many entries as the end record counts"),
        ),
        row("one of several disks", disks(&package), Refused("an archive in one piece")),
    ]
}

/// An entry between another one's descriptor and the next.
fn hidden() -> Vec<u8> {
    let more = zip(&[file("c", "3")]);
    zip(&[file("a", "1").deflated().streamed(true, false).behind(&more[..32]), file("b", "2")])
}

fn recount(package: &[u8], count: u8) -> Vec<u8> {
    let mut package = package.to_vec();
    let end = package.len() - 22;
    (package[end + 8], package[end + 10]) = (count, count);
    package
}

fn disks(package: &[u8]) -> Vec<u8> {
    let mut package = package.to_vec();
    let end = package.len() - 22;
    package[end + 4] = 1;
    package
}
