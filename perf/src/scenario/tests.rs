use super::*;

fn read(text: &str) -> Result<Scenario, Vec<String>> {
    Scenario::from_text(text, "x.toml").map_err(|p| p.iter().map(ToString::to_string).collect())
}

const HEAD: &str = "name = \"x\"\nkind = \"mirror\"\nabout = \"a\"\n";

#[test]
fn every_shipped_file_is_known_and_reads() {
    let all = builtin::all().map_err(|p| p.iter().map(|p| p.to_string() + "\n").collect::<String>()).unwrap();
    let mut shipped: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .inspect(|path| assert!(Scenario::load(path).is_ok()))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut known: Vec<String> = all.iter().map(|s| s.name.clone()).collect();
    shipped.sort();
    known.sort();
    assert_eq!(shipped, known);
    for scenario in &all {
        let points = scenario.points();
        assert!(!points.is_empty() && points.len() <= 16, "{}: {} points", scenario.name, points.len());
        for p in &points {
            assert!(p.size.longest() <= p.mtu + 14 && p.stored_sessions >= p.local_sessions, "{p:?}");
        }
    }
}

#[test]
fn what_issue_3_lists_is_covered() {
    let points: Vec<PointSpec> = builtin::all().unwrap().iter().flat_map(Scenario::points).collect();
    let has = |label: &str, values: &[&str]| {
        for value in values {
            assert!(points.iter().any(|p| p.labels[label] == *value), "no point with {label} = {value}");
        }
    };
    has("size", &["64", "1400", "1514", "8464", "8514", "imix"]);
    has("flows", &["1", "1024", "262144", "1048576"]);
    has("match", &["0", "1", "10", "50", "100"]);
    has("rules", &["0", "20", "60", "10000"]);
    has("enis", &["2", "256"]);
    has("stored_sessions", &["1", "20000"]);
    has("local_sessions", &["1", "768"]);
    has("target", &["fast", "slow", "blocked"]);
    has("overload", &["share", "shed"]);
    has("workers", &["1", "2"]);
    has("ring", &["split", "packed"]);
    for (word, kind) in Kind::ALL {
        assert!(points.iter().any(|p| p.kind == *kind), "no scenario of kind {word}");
    }
}

#[test]
fn lists_make_a_cross_product() {
    let s = read(&format!("{HEAD}sizes = [64, \"imix\", 8514]\nrules = [1, 20]\nlocal_sessions = 3\n")).unwrap();
    let points = s.points();
    let seen: Vec<(&str, &str, &str)> = points
        .iter()
        .map(|p| (p.labels["size"].as_str(), p.labels["rules"].as_str(), p.labels["mtu"].as_str()))
        .collect();
    let wanted = [
        ("64", "1", "1500"),
        ("64", "20", "1500"),
        ("imix", "1", "1500"),
        ("imix", "20", "1500"),
        ("8514", "1", "8500"),
        ("8514", "20", "8500"),
    ];
    assert_eq!(seen, wanted);
    assert!(points[0].plain() && !points[1].plain());
    assert_eq!((points[0].local_sessions, points[0].stored_sessions), (3, 3));
    assert_eq!(points[0].labels.len(), 14);
    assert_eq!((s.rounds, s.level, s.not_yet()), (10, Level::Processes, None));
}

#[test]
fn every_error_is_a_line() {
    let text = "
        name = \"x\"\nkind = \"miror\"\nlevel = 1\npeers = [\"ovs\", \"vpp\", \"ovs\"]\nsizes = [63, 64, \"jumbo\"]
        flows = [1000]\nmatch_percent = 101\nrules = []\nenis = [1]\ntarget = \"gone\"\nworkers = 3\nmtu = [9000]
        offered_percent = [0]\nrounds = 0\nseconds = \"long\"\nring = [\"round\"]\nflow = 7\nneeds = \"\"
    ";
    let mut lines = read(text).unwrap_err();
    lines.sort();
    let wanted = [
        "x.toml: about: missing; a sentence that says what is measured",
        "x.toml: enis[0] = 1: a whole number from 2 to 256",
        "x.toml: flow = 7: unknown key; the nearest known one is flows",
        "x.toml: flows[0] = 1000: a power of two from 1 to 1048576",
        "x.toml: kind = \"miror\": \"forward\" or \"mirror\" or \"classify\" or \"scale\" or \"latency\" or \
         \"churn\" or \"replay\"",
        "x.toml: level = 1: \"stage\" or \"in_process\" or \"processes\"",
        "x.toml: match_percent = 101: percent, a whole number from 0 to 100",
        "x.toml: mtu[0] = 9000: 1500 or 8500",
        "x.toml: needs = \"\": a sentence that names what has not landed",
        "x.toml: offered_percent[0] = 0: percent, a whole number from 1 to 100",
        "x.toml: peers[1] = \"vpp\": \"testpmd\" or \"ovs\" or \"cloop\" or \"librte_acl\" or \"off\"",
        "x.toml: peers[2] = \"ovs\": named twice",
        "x.toml: ring[0] = \"round\": \"split\" or \"packed\"",
        "x.toml: rounds = 0: a whole number from 1 to 1000",
        "x.toml: rules = []: at least one value: a whole number from 0 to 10000",
        "x.toml: seconds = \"long\": seconds, from 0.1 to 600",
        "x.toml: sizes[0] = 63: bytes of a frame without FCS, 64 to 8514, or \"imix\"",
        "x.toml: sizes[2] = \"jumbo\": bytes of a frame without FCS, 64 to 8514, or \"imix\"",
        "x.toml: target = \"gone\": \"fast\" or \"slow\" or \"blocked\"",
        "x.toml: workers = 3: 1 or 2",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn keys_are_checked_together() {
    let one = |text: &str, wanted: &str| assert_eq!(read(&format!("{HEAD}{text}")).unwrap_err(), [wanted], "{text}");
    one(
        "sizes = [64, 1515]\nmtu = [1500]\n",
        "x.toml: mtu = [1500]: at least the IP packet of every size; a frame of \
        1515 bytes needs 8500",
    );
    one(
        "local_sessions = [6]\nstored_sessions = [5, 7]\n",
        "x.toml: stored_sessions = [5,7]: at least local_sessions \
        (6), which are among them",
    );
    one("local_sessions = [7]\n", "x.toml: local_sessions = [7]: at most 3 for each of the 2 ENIs");
    one("rules = [0, 1]\n", "x.toml: rules = [0,1]: at least 1: without a session nothing is mirrored");
    one(
        "peers = [\"librte_acl\"]\n",
        "x.toml: peers = [\"librte_acl\"]: \"librte_acl\" only where kind is \"classify\"",
    );
    let classify = "name = \"x\"\nkind = \"classify\"\nabout = \"a\"\npeers = [\"ovs\"]\n";
    assert!(read(classify).unwrap_err()[0].contains("the only peer \"librte_acl\""));
    assert_eq!(read(&HEAD.replace("\"x\"", "\"y\"")).unwrap_err(), ["x.toml: name = \"y\": the file's own name, x"]);
    assert!(read("name = ").unwrap_err()[0].starts_with("x.toml: "));
}

#[test]
fn overrides_are_checked_like_files() {
    let s = builtin::named("mirror-match").unwrap();
    let set = |overrides: &[(&str, &str)]| {
        s.with_overrides(overrides.iter().copied()).map_err(|p| p.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(set(&[]).unwrap(), s);
    let new = set(&[
        ("size", "64, imix"),
        ("flows", "1024"),
        ("match", "50"),
        ("target", "blocked"),
        ("seconds", "0.5"),
        ("rounds", "3"),
        ("peers", "ovs,cloop"),
        ("level", "in_process"),
    ])
    .unwrap();
    assert_eq!((new.sizes, new.match_percent), (vec![Size::Fixed(64), Size::Imix], vec![50]));
    assert_eq!((new.seconds, new.rounds, new.level), (0.5, 3, Level::InProcess));
    assert_eq!((new.target, new.peers), (vec![Target::Blocked], vec![Peer::Ovs, Peer::Cloop]));
    let lines = set(&[("sise", "64"), ("flows", "1000"), ("size", "1514,8515"), ("seconds", "x"), ("kind", "forward")]);
    let wanted = [
        "command line: sise = \"64\": unknown key; the nearest known one is size",
        "command line: kind = \"forward\": unknown key; the nearest known one is ring",
        "command line: sizes[1] = 8515: bytes of a frame without FCS, 64 to 8514, or \"imix\"",
        "command line: flows[0] = 1000: a power of two from 1 to 1048576",
        "command line: seconds = \"x\": seconds, from 0.1 to 600",
    ];
    assert_eq!(lines.unwrap_err(), wanted);
}

#[test]
fn what_has_not_landed_says_so() {
    let s = builtin::named("race-memory").unwrap();
    assert_eq!(s.not_yet().unwrap(), "not yet: the accounting of the switch's own memory");
    let unknown = builtin::named("race-shet").unwrap_err()[0].to_string();
    assert_eq!(unknown, "command line: race-shet: unknown scenario; the nearest known one is race-shed");
}

#[test]
fn imix_averages_353_bytes() {
    let (bytes, frames) =
        IMIX.iter().fold((0, 0), |(b, f), (size, n)| (b + u32::from(*size) * u32::from(*n), f + u32::from(*n)));
    assert_eq!((frames, f64::from(bytes) / f64::from(frames)), (48, 353.5));
}
