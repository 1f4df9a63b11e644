//! The model as a page that needs nothing but itself.

use std::fmt::Write;

use super::model::Model;
use crate::event::harmless_json;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// The parts of the script, which share their names.
const SCRIPT: &[&str] = &[
    "\"use strict\";\n(() => {\n",
    include_str!("page/model.js"),
    include_str!("page/draw.js"),
    include_str!("page/map.js"),
    include_str!("page/move.js"),
    include_str!("page/panel.js"),
    "})();\n",
];

/// The page.
pub(super) fn page(model: &Model) -> String {
    // Strings and numbers are all it holds: JSON has them all.
    let data = serde_json::to_string(model).unwrap_or_default();
    let mut page = String::with_capacity(PAGE.len() + data.len() + 64 * 1024);
    let mut rest = PAGE;
    let title = text(&model.title);
    let data = in_script(&harmless_json(&data));
    let script = SCRIPT.concat();
    let parts = [
        ("{{title}}", title.as_str()),
        ("{{style}}", STYLE),
        ("{{data}}", data.as_str()),
        ("{{script}}", script.as_str()),
    ];
    // Each stands once, in this order, so that nothing of what was put in is
    // taken for a place of the page.
    for (mark, part) in parts {
        let Some((before, behind)) = rest.split_once(mark) else {
            continue;
        };
        page.push_str(before);
        page.push_str(part);
        rest = behind;
    }
    page.push_str(rest);
    page
}

/// JSON that can stand in a script: no tag ends it, whatever a process is
/// called.
fn in_script(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            _ => text.push(char),
        }
    }
    text
}

/// Text between tags.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
