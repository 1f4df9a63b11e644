//! docs/unsafe.md tells of every use of `unsafe`, and of none that is gone.

use std::fs;
use std::path::{Path, PathBuf};

/// A use of `unsafe`: the file, and the function or static that it is in.
type Use = (String, String);

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let deeper = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    paths.into_iter().flat_map(deeper).collect()
}

/// The word behind `keyword`, as far as it is a name.
fn name_behind(line: &str, keyword: &str) -> Option<String> {
    let words = line.split_whitespace().skip_while(|word| *word != keyword);
    let name = words.skip(1).find(|word| *word != "mut")?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(name.get(..end.unwrap_or(name.len()))?.to_owned())
}

/// How often `unsafe` stands in a line of code.
fn count(line: &str) -> usize {
    let code = line.split("//").next().unwrap_or_default();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| *word == "unsafe").count()
}

fn uses_in(file: &str, source: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    let (mut function, mut attributes) = (String::new(), 0);
    for line in source.lines() {
        if line.starts_with("#[unsafe(") {
            attributes += 1;
            continue;
        }
        function = name_behind(line, "fn").unwrap_or(function);
        let mut all = vec![function.clone(); count(line)];
        if attributes > 0 && !line.starts_with("#[") {
            let item = name_behind(line, "static").unwrap_or_else(|| function.clone());
            all.extend(vec![item; attributes]);
            attributes = 0;
        }
        uses.extend(all.into_iter().map(|name| (file.to_owned(), name)));
    }
    uses
}

/// The list: a file's name as a heading, and an item for each use.
fn listed(document: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut file = String::new();
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            heading.clone_into(&mut file);
        } else if let Some(item) = line.strip_prefix("- `") {
            let (name, why) = item.split_once("`: ").unwrap();
            assert!(!why.is_empty(), "{file}: nothing is said of {name}");
            uses.push((file.clone(), name.to_owned()));
        }
    }
    uses
}

#[test]
fn every_use_of_unsafe_is_told_of_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sources(&root.join("src")).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let found: Vec<Use> = files
        .flat_map(|path| {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            uses_in(&name, &fs::read_to_string(&path).unwrap())
        })
        .collect();
    let outside: Vec<&Use> = found
        .iter()
        .filter(|(file, _)| !file.starts_with("src/sys/"))
        .collect();
    assert!(outside.is_empty(), "unsafe outside of src/sys: {outside:?}");
    let document = fs::read_to_string(root.join("docs/unsafe.md")).unwrap();
    assert_eq!(found, listed(&document), "the source and docs/unsafe.md");
}

#[test]
fn a_use_is_found_with_the_function_that_it_is_in() {
    let source = "fn a() {\n    // unsafe\n    let b = unsafe { c() }; // unsafe\n}\n\
                  #[unsafe(no_mangle)]\n#[used]\nstatic D: u8 = 0;\n\
                  pub unsafe fn e(unsafe_code: u8) {}\n";
    let names: Vec<String> = uses_in("", source)
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["a", "D", "e"]);
}
