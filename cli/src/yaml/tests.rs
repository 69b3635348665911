use super::*;

fn rewritten(text: &str) -> String {
    write(&read(text).unwrap().unwrap())
}

#[test]
fn scalars_stay_as_they_were_written() {
    let text = "\
a: 1
b: \"1\"
c: 0644
d: on
e: \"on\"
f: 1_000
g: 12:30
h: ~
i: null
j: 2026-01-02
k: .5e-3
l: \"\"
m: =
n: http://x:80/?a=b#c
o: -x
p: \"- x\"
";
    assert_eq!(rewritten(text), text);
}

#[test]
fn quotes_and_lines_survive() {
    for (text, expected) in [
        ("a: 'it''s: #1'", "a: \"it's: #1\"\n"),
        (
            "a: \"\\u00e9\\ud83d\\ude00\\e\\0\"",
            "a: \"é😀\\u001b\\u0000\"\n",
        ),
        (
            "a: |\n  one\n   two\n\n  three\n",
            "a: |\n  one\n   two\n\n  three\n",
        ),
        ("a: |-\n  one\n", "a: |-\n  one\n"),
        ("a: |+\n  one\n\n\nb: 1", "a: |+\n  one\n\n\nb: 1\n"),
        ("a: |2\n   one\n", "a: \" one\\n\"\n"),
        ("a: >\n  one\n  two\n", "a: |\n  one two\n"),
        ("a: one\n  two", "a: one two\n"),
        ("a: one\n\n  two", "a: \"one\\ntwo\"\n"),
        ("a: \"1\n  2\"", "a: \"1 2\"\n"),
        ("? a\n: 1", "a: 1\n"),
    ] {
        assert_eq!(rewritten(text), expected, "{text}");
        assert_eq!(rewritten(expected), expected);
    }
}

#[test]
fn collections_are_blocks() {
    for (text, expected) in [
        (
            "{a: [1, {b: c, d: []}], e: {}}",
            "a:\n- 1\n- b: c\n  d: []\ne: {}\n",
        ),
        ("{\"a\": {\"b\": true}}", "\"a\":\n  \"b\": true\n"),
        (
            "- - a\n  - b\n- []\n-\n- |\n  x\n",
            "- - a\n  - b\n- []\n- ~\n- |\n  x\n",
        ),
        (
            "a: !!str 1\nb: !x {c: d}\nc: [!!set {d: e}]",
            "a: !!str 1\nb: !x\n  c: d\nc:\n- !!set\n  d: e\n",
        ),
    ] {
        assert_eq!(rewritten(text), expected, "{text}");
        assert_eq!(rewritten(expected), expected);
    }
}

#[test]
fn anchors_and_merges_are_written_out() {
    assert_eq!(
        rewritten("a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\nf: {<<: [{b: 5}, *x]}\n"),
        "a:\n  b: 1\n  c: 2\nd:\n  b: 1\n  c: 2\ne:\n  c: 3\n  b: 1\nf:\n  b: 5\n  c: 2\n"
    );
    assert_eq!(
        rewritten("a: {\"<<\": {b: 1}}"),
        "a:\n  \"<<\":\n    b: 1\n"
    );
}

#[test]
fn documents_that_cannot_be_read() {
    let mut laughs = "a: &a0 x\n".to_owned();
    for n in 1..30 {
        let (name, alias) = (format!("a{n}"), format!("*a{}", n - 1));
        laughs.extend([
            &*name, ": &", &name, " [", &alias, ", ", &alias, ", ", &alias, "]\n",
        ]);
    }
    for (text, message) in [
        ("a: [1", "unclosed bracket"),
        ("a: *b", "unknown anchor"),
        ("{[1]: 2}", "a key that is no scalar, in line 1"),
        (
            "a: &a [*a]",
            "an alias inside of what it stands for, in line 1",
        ),
        (
            "{a: 1}\n{b: 2}",
            "did not find expected <document start> at char 7 line 2",
        ),
        (&laughs, "aliases that stand for more than 100000 values"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    for text in ["", "# nothing\n", "---\n", "~"] {
        assert_eq!(read(text).unwrap(), None, "{text:?}");
    }
}
