// The header of every page. This file is a classic script in the <head>, so that the browser defines the
// element before it parses <body>. The header is therefore part of the first paint, and nothing moves when
// the modules load. language.js translates the header's texts.

/**
 * The header with the brand, the navigation and the signed-in user. The attribute `current` names the page.
 * The links to the pages for admins are hidden until session.js shows them to an admin.
 */
class PageHeader extends HTMLElement {
  connectedCallback() {
    this.innerHTML = `
      <header>
        <a class="brand" href="./"><svg class="logo" aria-hidden="true"><use href="icons.svg#logo"/></svg>Issue Timer</a>
        <nav aria-label="Pages" data-label="navLabel">
          <a href="./" data-page="time" data-text="navTime">Time</a>
          <a href="team.html" data-page="team" data-text="navTeam">Team</a>
          <a href="account.html" data-page="account" data-text="navAccount">Account</a>
          <a href="embed.html" data-page="embed" data-text="navEmbed">Embed</a>
          <a href="github.html" data-page="github" data-text="navGitHub" data-admins hidden>GitHub</a>
          <a href="hooks.html" data-page="hooks" data-text="navHooks" data-admins hidden>Webhooks</a>
        </nav>
        <div id="user" hidden>
          <p><span data-text="signedInAs">Signed in as</span> <strong></strong></p>
          <button id="sign-out" type="button" data-text="signOut">Sign out</button>
        </div>
      </header>`;
    const current = this.querySelector(`[data-page="${this.getAttribute("current")}"]`);
    if (!(current instanceof HTMLElement)) return;
    current.ariaCurrent = "page";
    current.hidden = false;
  }
}

customElements.define("page-header", PageHeader);
