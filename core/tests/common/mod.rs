//! A small GGUF writer: the reader's tests, benchmark and fuzz seeds build their headers with it.
#![allow(dead_code, reason = "every test binary uses a part of it")]

/// Byte order to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// A value to write, with its exact type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum V {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(String),
    U64(u64),
    I64(i64),
    F64(f64),
    /// Element type and elements.
    Arr(u32, Vec<V>),
}

pub(crate) const U8: u32 = 0;
pub(crate) const I32: u32 = 5;
pub(crate) const U32: u32 = 4;
pub(crate) const F32: u32 = 6;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;

impl V {
    pub(crate) fn id(&self) -> u32 {
        match self {
            V::U8(_) => 0,
            V::I8(_) => 1,
            V::U16(_) => 2,
            V::I16(_) => 3,
            V::U32(_) => 4,
            V::I32(_) => 5,
            V::F32(_) => 6,
            V::Bool(_) => 7,
            V::Str(_) => 8,
            V::Arr(..) => 9,
            V::U64(_) => 10,
            V::I64(_) => 11,
            V::F64(_) => 12,
        }
    }
}

/// A tensor-table entry: name, dimensions, ggml type, offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct T(pub(crate) String, pub(crate) Vec<u64>, pub(crate) u32, pub(crate) u64);

pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
    order: Order,
}

macro_rules! put {
    ($($name:ident: $t:ty),*) => {$(
        pub(crate) fn $name(&mut self, n: $t) {
            match self.order {
                Order::Little => self.out.extend(n.to_le_bytes()),
                Order::Big => self.out.extend(n.to_be_bytes()),
            }
        }
    )*};
}

impl Writer {
    pub(crate) fn new(order: Order, version: u32) -> Self {
        let mut w = Self { out: b"GGUF".to_vec(), order };
        w.u32(version);
        w
    }

    put!(u8: u8, i8: i8, u16: u16, i16: i16, u32: u32, i32: i32, u64: u64, i64: i64, f32: f32, f64: f64);

    pub(crate) fn str(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.out.extend(text.as_bytes());
    }

    pub(crate) fn value(&mut self, value: &V) {
        match value {
            V::U8(n) => self.u8(*n),
            V::I8(n) => self.i8(*n),
            V::U16(n) => self.u16(*n),
            V::I16(n) => self.i16(*n),
            V::U32(n) => self.u32(*n),
            V::I32(n) => self.i32(*n),
            V::F32(n) => self.f32(*n),
            V::Bool(b) => self.u8(u8::from(*b)),
            V::Str(text) => self.str(text),
            V::U64(n) => self.u64(*n),
            V::I64(n) => self.i64(*n),
            V::F64(n) => self.f64(*n),
            V::Arr(element, items) => {
                self.u32(*element);
                self.u64(items.len() as u64);
                for item in items {
                    self.value(item);
                }
            }
        }
    }

    pub(crate) fn key(&mut self, key: &str, value: &V) {
        self.str(key);
        self.u32(value.id());
        self.value(value);
    }

    pub(crate) fn tensor(&mut self, T(name, dims, ty, offset): &T) {
        self.str(name);
        self.u32(dims.iter().map(|_| 1).sum());
        for d in dims {
            self.u64(*d);
        }
        self.u32(*ty);
        self.u64(*offset);
    }
}

/// A whole header.
pub(crate) fn header(order: Order, version: u32, keys: &[(&str, V)], tensors: &[T]) -> Vec<u8> {
    let mut w = Writer::new(order, version);
    w.u64(tensors.len() as u64);
    w.u64(keys.len() as u64);
    for (key, value) in keys {
        w.key(key, value);
    }
    for tensor in tensors {
        w.tensor(tensor);
    }
    w.out
}

/// A header of about 10 MB: 150k tokens with scores, types and merges, as a large model's file carries them.
pub(crate) fn large_vocabulary() -> Vec<u8> {
    let tokens: Vec<V> = (0..150_000u32).map(|i| V::Str(format!("token{i:012}"))).collect();
    let merges = (0..150_000u32).map(|i| V::Str(format!("left{i:08} right{i:08}"))).collect();
    let scores = tokens.iter().map(|_| V::F32(-1.0)).collect();
    let types = tokens.iter().map(|_| V::I32(1)).collect();
    let keys = [
        ("general.architecture", V::Str("llama".into())),
        ("llama.block_count", V::U32(80)),
        ("llama.attention.head_count_kv", V::Arr(I32, (0..80).map(|_| V::I32(8)).collect())),
        ("tokenizer.ggml.tokens", V::Arr(STRING, tokens)),
        ("tokenizer.ggml.scores", V::Arr(F32, scores)),
        ("tokenizer.ggml.token_type", V::Arr(I32, types)),
        ("tokenizer.ggml.merges", V::Arr(STRING, merges)),
        ("tokenizer.chat_template", V::Str("x".repeat(8192))),
    ];
    let tensors: Vec<T> = (0..723u64)
        .map(|i| T(format!("blk.{i}.attn_q.weight"), vec![8192, 8192], 12, i * 8192 * 32 * 144))
        .collect();
    header(Order::Little, 3, &keys, &tensors)
}
