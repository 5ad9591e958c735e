//! A value that a callback delivers to one waiting future. The browser's event loop calls back; natively polling the
//! device does.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// The waiting side.
pub(super) struct Signal<T>(Arc<Mutex<State<T>>>);

impl<T> Signal<T> {
    /// A signal, and the function that sets it off.
    pub(super) fn new() -> (Self, impl FnOnce(T)) {
        let state = Arc::new(Mutex::new(State { value: None, waker: None }));
        let sender = Arc::clone(&state);
        let send = move |value| {
            let mut state = sender.lock().unwrap_or_else(PoisonError::into_inner);
            state.value = Some(value);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        };
        (Self(state), send)
    }
}

impl<T> Future for Signal<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
