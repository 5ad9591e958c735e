// Keeps the page for when there is no network. Files are named after their content, so that one that is kept is never
// wrong; the page itself is asked for anew where there is a network. What the proof needs is kept once it was used.

const FILES = [{{first-load}}];
const KEEP = "kvplan";

self.addEventListener("install", (event) => {
  const kept = caches.open(KEEP).then((cache) => cache.addAll(["./", ...FILES]));
  event.waitUntil(kept.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(tidy().then(() => self.clients.claim()));
});

// Files of an older page go, those of the proof among them.
const tidy = async () => {
  const cache = await caches.open(KEEP);
  const current = new Set(["./", ...FILES].map((name) => new URL(name, self.location).href));
  const old = (await cache.keys()).filter(({ url }) => !current.has(url));
  await Promise.all(old.map((request) => cache.delete(request)));
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith(request.mode === "navigate" ? fresh(request) : kept(request));
});

const fresh = async (request) => {
  try {
    const response = await fetch(request);
    if (response.ok) await (await caches.open(KEEP)).put("./", response.clone());
    return response;
  } catch {
    return (await caches.match(new URL("./", self.location).href)) ?? Response.error();
  }
};

const kept = async (request) => {
  const found = await caches.match(request);
  if (found) return found;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(KEEP)).put(request, response.clone());
  return response;
};
