//! Call stacks (`-k`) as JSON.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Body;
use super::values::{Address, Int, Text};
use crate::event::{self, Cut};

/// A call stack.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// Its frames, the innermost first.
    pub frames: Vec<Frame>,
    /// Why frames are missing: `deep` for too many, `lost` if unwinding failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// A call site.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// The file that the code is from; null for code made at run time.
    pub object: Option<Text>,
    /// The return address, as an address of the file; for code from no file, in
    /// memory.
    pub address: Address,
    /// The function that contains it, preceded by those inlined there, innermost
    /// first. Empty if none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// Of a frame of an interpreter: the functions of the script that it executes,
    /// innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<Function>,
}

/// A function and a place in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Function {
    /// Its name, demangled.
    pub name: Option<String>,
    /// Bytes after its first instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Int>,
    /// The source file, as the compiler recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl From<&event::Stack> for Stack {
    fn from(stack: &event::Stack) -> Stack {
        let cut = stack.cut().map(|cut| match cut {
            Cut::Deep => "deep".to_owned(),
            Cut::Lost => "lost".to_owned(),
        });
        Stack {
            frames: stack
                .frames()
                .iter()
                .map(|frame| (&**frame).into())
                .collect(),
            cut,
        }
    }
}

impl Body {
    /// Replaces the call stack with one in which names are resolved.
    pub(crate) fn set_stack(&mut self, stack: &event::Stack) {
        let slot = match self {
            Body::Fork(about) => &mut about.what.stack,
            Body::WaitEntry(about) => &mut about.what.stack,
            Body::Wait(about) => &mut about.what.entry.stack,
            _ => return,
        };
        *slot = Some(stack.into());
    }
}

impl From<&event::Frame> for Frame {
    fn from(frame: &event::Frame) -> Frame {
        let functions = |list: &[event::Function]| list.iter().map(Function::from).collect();
        Frame {
            object: frame.object.as_ref().map(|path| Text(path.to_vec())),
            address: Address(frame.address),
            functions: functions(frame.functions()),
            script: functions(frame.script()),
        }
    }
}

impl From<Stack> for event::Stack {
    fn from(stack: Stack) -> event::Stack {
        let frames = stack.frames.into_iter();
        let frames = frames.map(|frame| Arc::new(frame.into())).collect();
        let cut = stack.cut.map(|why| match why.as_str() {
            "deep" => Cut::Deep,
            _ => Cut::Lost,
        });
        event::Stack::new(frames, cut)
    }
}

impl From<Frame> for event::Frame {
    fn from(frame: Frame) -> event::Frame {
        let Address(address) = frame.address;
        let functions = |list: Vec<Function>| list.into_iter().map(Into::into).collect();
        let object = frame.object.map(|Text(path)| path.into());
        let script: Vec<event::Function> = functions(frame.script);
        let own = event::Frame::new(object, address, functions(frame.functions));
        if script.is_empty() {
            own
        } else {
            own.with_script(script)
        }
    }
}

impl From<&event::Function> for Function {
    fn from(function: &event::Function) -> Function {
        Function {
            name: function.name.clone(),
            offset: function.offset.map(|offset| Int(offset.into())),
            file: function.file.clone(),
            line: function.line,
        }
    }
}

impl From<Function> for event::Function {
    fn from(function: Function) -> event::Function {
        let offset = function.offset;
        event::Function {
            name: function.name,
            offset: offset.and_then(|Int(offset)| offset.try_into().ok()),
            file: function.file,
            line: function.line,
        }
    }
}
