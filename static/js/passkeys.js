// Passkeys: fetches what the browser's own dialog needs, and sends what comes of it in the form's hidden field.
"use strict";

(() => {
  const supported = window.isSecureContext && "PublicKeyCredential" in window && "credentials" in navigator;
  const forms = document.querySelectorAll("form[data-passkey]");
  if (!supported) return;
  for (const form of forms) form.hidden = false;
  for (const note of document.querySelectorAll("[data-passkey-missing]")) note.hidden = true;

  function toBytes(text) {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  }

  function toText(buffer) {
    const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  const withBytes = (descriptor) => ({ ...descriptor, id: toBytes(descriptor.id) });

  // The options are JSON (WebAuthn, 5.1.10); older browsers take bytes only.
  function decoded(options) {
    const found = { ...options, challenge: toBytes(options.challenge) };
    if (options.user) found.user = { ...options.user, id: toBytes(options.user.id) };
    if (options.excludeCredentials) found.excludeCredentials = options.excludeCredentials.map(withBytes);
    if (options.allowCredentials) found.allowCredentials = options.allowCredentials.map(withBytes);
    return found;
  }

  function encoded(credential) {
    const { response } = credential;
    const fields = { clientDataJSON: toText(response.clientDataJSON) };
    if (response.attestationObject) {
      fields.attestationObject = toText(response.attestationObject);
      fields.transports = response.getTransports ? response.getTransports() : [];
    } else {
      fields.authenticatorData = toText(response.authenticatorData);
      fields.signature = toText(response.signature);
      if (response.userHandle && response.userHandle.byteLength) fields.userHandle = toText(response.userHandle);
    }
    return JSON.stringify({ id: credential.id, rawId: credential.id, type: credential.type, response: fields });
  }

  function say(form, text) {
    const place = form.querySelector("[data-passkey-error]");
    place.textContent = text;
    place.hidden = !text;
  }

  async function optionsFor(form) {
    const answer = await fetch(form.dataset.options, {
      method: "POST",
      body: "{}",
      headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
      credentials: "same-origin",
    });
    if (answer.ok) return (await answer.json()).publicKey;
    const json = (answer.headers.get("Content-Type") || "").includes("json");
    const problem = json ? await answer.json() : {};
    // What was entered before has run out: the server leads on from the page itself.
    if (answer.status === 401 || problem.code === "sudo_required" || !json) location.reload();
    throw new Error(problem.detail || "Load this page again, then try once more.");
  }

  // What browsers call it, and what to do about it. They do not tell a refusal from nothing found.
  function reason(error, creating) {
    if (error.name === "InvalidStateError") return "This device has a passkey for your account already.";
    if (error.name === "NotAllowedError" || error.name === "AbortError")
      return creating ? "No passkey was made. Try again when you are ready." : "No passkey was shown. Try again, or go on without it.";
    if (error.name === "SecurityError") return "Passkeys work at this portal’s own address only. Look at the address bar.";
    if (error.name === "NotSupportedError" || error.name === "ConstraintError")
      return "This device cannot keep passkeys. Use another device or a security key.";
    return error.message;
  }

  async function answer(form) {
    const creating = form.dataset.passkey === "create";
    const publicKey = decoded(await optionsFor(form));
    const credential = await (creating
      ? navigator.credentials.create({ publicKey })
      : navigator.credentials.get({ publicKey }));
    form.elements.credential.value = encoded(credential);
    for (const follower of form.querySelectorAll("[data-follows]")) {
      follower.value = document.getElementById(follower.dataset.follows).checked ? "on" : "";
    }
    form.submit();
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-passkey]")) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    const name = form.elements.name;
    if (name && name.tagName === "INPUT" && !name.value.trim()) {
      say(form, "Give it a name first.");
      name.focus();
      return;
    }
    form.dataset.busy = "yes";
    say(form, "");
    try {
      await answer(form);
    } catch (error) {
      say(form, reason(error, form.dataset.passkey === "create"));
      delete form.dataset.busy;
    }
  });

  // A page that comes back from the browser's history can be used again.
  window.addEventListener("pageshow", () => {
    for (const form of forms) delete form.dataset.busy;
  });
})();
