//! get, put, del, scan, count: single records and ranges.

use crate::run::{Place, Result, finish, program};

#[test]
fn what_is_put_is_got_until_it_is_deleted() -> Result {
    let place = Place::new();
    assert_eq!(place.run("put a.lsm no/oslo 717710").text(), "");
    assert_eq!(place.run("put a.lsm no/bergen 291940").stderr, "");
    assert_eq!(place.run("get a.lsm no/oslo").text(), "717710\n");
    assert_eq!(
        place.run("get a.lsm no/oslo no/bergen -f json").text(),
        "{\"key\":\"no/oslo\",\"value\":\"717710\"}\n{\"key\":\"no/bergen\",\"value\":\"291940\"}\n"
    );
    assert_eq!(place.run("del a.lsm no/oslo no/nowhere").text(), "");
    let gone = place.run("get a.lsm no/oslo");
    assert_eq!((gone.status, &gone.stdout[..]), (1, &b""[..]));
    assert!(
        gone.stderr.contains("no record with the key no/oslo"),
        "{}",
        gone.stderr
    );
    assert_eq!(place.run("count a.lsm").text(), "1\n");
    assert_eq!(place.files(), ["a.lsm"]);
    Ok(())
}

#[test]
fn ranges_are_those_that_were_asked_for() -> Result {
    let place = Place::new();
    for key in ["a", "ab", "b", "ba", "bb", "c"] {
        place.run(&format!("put a.lsm {key} v{key}")).text();
    }
    let keys = |arguments: &str| {
        let done = place.run(&format!("scan a.lsm --keys-only {arguments}"));
        done.text().lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(""), "a ab b ba bb c");
    assert_eq!(keys("--prefix b"), "b ba bb");
    assert_eq!(keys("--start ab --end bb"), "ab b ba");
    assert_eq!(keys("--after ab --through bb"), "b ba bb");
    assert_eq!(keys("--reverse --limit 2"), "c bb");
    assert_eq!(keys("--prefix b --reverse --limit 1"), "bb");
    assert_eq!(keys("--limit 0"), "");
    assert_eq!(place.run("count a.lsm --prefix b").text(), "3\n");
    assert_eq!(place.run("del a.lsm --start ab --end bb").text(), "");
    assert_eq!(keys(""), "a bb c");
    assert_eq!(place.run("del a.lsm --all").text(), "");
    assert_eq!(keys(""), "");
    Ok(())
}

#[test]
fn any_bytes_come_back_in_any_encoding_and_format() -> Result {
    let place = Place::new();
    let all: Vec<u8> = (0..=255).collect();
    for encoding in ["text", "hex", "base64", "json"] {
        let file = format!("{encoding}.lsm");
        place.feed(&format!("put {file} key --from -"), &all).text();
        assert_eq!(place.run(&format!("get {file} key --raw")).stdout, all);
        let value = place.run(&format!("get {file} key --value-encoding {encoding}"));
        let value = value.text().trim_end_matches('\n');
        // As the key, and as the value, of another record.
        let mut put = program();
        put.current_dir(place.folder.path());
        put.args(["put", &file, "--encoding", encoding, value, value]);
        assert_eq!(finish(&mut put, b"").text(), "");
        let mut get = program();
        get.current_dir(place.folder.path());
        get.args(["get", &file, "--key-encoding", encoding, "--raw", value]);
        assert_eq!(finish(&mut get, b"").stdout, all);
    }
    Ok(())
}

#[test]
fn a_table_is_a_space_of_its_own() -> Result {
    let place = Place::new();
    place.run("put a.lsm k plain").text();
    place.run("put a.lsm k table --table t").text();
    assert_eq!(place.run("get a.lsm k").text(), "plain\n");
    assert_eq!(place.run("get a.lsm k -t t").text(), "table\n");
    assert_eq!(place.run("scan a.lsm -t t").text(), "k\ttable\n");
    assert_eq!(place.run("count a.lsm").text(), "1\n");
    assert_eq!(place.run("del a.lsm -t t --all").text(), "");
    assert_eq!(place.run("count a.lsm -t t").text(), "0\n");
    assert_eq!(place.run("get a.lsm k").text(), "plain\n");
    assert_eq!(place.run("del a.lsm -t none k").text(), "");
    Ok(())
}

#[test]
fn formats_quote_what_they_must() -> Result {
    let place = Place::new();
    place.run(r#"put a.lsm a,"b c\n"#).text();
    place.run("put a.lsm \\xff --from /dev/null").text();
    assert_eq!(
        place.run("scan a.lsm -f csv").text(),
        "key,value\n\"a,\"\"b\",c\\n\n\\xff,\"\"\n"
    );
    assert_eq!(
        place.run("scan a.lsm -f json").text(),
        "{\"key\":\"a,\\\"b\",\"value\":\"c\\n\"}\n{\"key\":{\"base64\":\"/w==\"},\"value\":\"\"}\n"
    );
    assert_eq!(
        place.run("scan a.lsm -f json -e hex").text(),
        "{\"key\":\"612c2262\",\"value\":\"630a\"}\n{\"key\":\"ff\",\"value\":\"\"}\n"
    );
    Ok(())
}
