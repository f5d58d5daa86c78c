// Signs in at the backend, then checks whether this account may read the recorder.

import { ask } from "./ask.js";
import { byId } from "./dom.js";

const form = byId("login"), problem = byId("problem"), submit = byId("submit");

function complain(text) {
  problem.textContent = text;
  problem.hidden = false;
}

async function signIn() {
  const response = await ask("/auth/login", { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (response.status === 401) return complain("User name or password is wrong.");
  if (response.status === 429) return complain("Too many attempts. Wait a moment, then try again.");
  if (!response.ok) return complain(`Signing in did not work (${response.status}). The backend may be down; try again in a moment.`);
  const allowed = await ask("/logs/stats");
  if (allowed.status === 403) return complain("You are signed in, but this account is not an operator. Sign in with an operator's account.");
  if (allowed.status === 401) return complain("The browser did not keep the session. Allow cookies for this address and try again.");
  location.assign("/logs/");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  submit.disabled = true;
  try {
    await signIn();
  } catch {
    complain("The stack did not answer. Check that it is up, then try again.");
  } finally {
    submit.disabled = false;
  }
});

form.dataset.state = "ready";
submit.disabled = false;
