// Makes letters with other people's packages and says what html-to-text reads in each.
// Input: a JSON object of further letters, name to HTML. Output: a list of [name, html, text].
"use strict";
const fs = require("fs");
const path = require("path");
const Mailgen = require("mailgen");
const mjml = require("mjml-browser");
const { Inky } = require("inky");
const { convert } = require("html-to-text");

const letters = {};

function foundation() {
  const folder = path.join(path.dirname(require.resolve("foundation-emails/package.json")), "templates");
  const head = "<!doctype html><html><head><meta charset='utf-8'><title>T</title><style>p{margin:0}</style></head><body>";
  for (const name of fs.readdirSync(folder).filter((each) => each.endsWith(".html"))) {
    let number = 0; // their links lead nowhere
    const somewhere = () => `href="https://x.example/?n=${++number}&region=eu&amp;copy=${number}"`;
    const source = fs.readFileSync(path.join(folder, name), "utf8").replace(/href="#?"/g, somewhere);
    const inner = new Inky({}).releaseTheKraken(source);
    letters[`foundation/${name}`] = `${head}<table class="body"><tr><td class="center">${inner}</td></tr></table></body></html>`;
  }
}

function mailgen() {
  const button = { text: "Confirm your account", link: "https://shop.example/confirm?s=d9729feb74992cc3482b&region=eu&copy=2" };
  const bodies = {
    welcome: { name: "Ann Ångström", intro: ["Welcome to Shop!", "We're very excited & happy."], action: { instructions: "Click here:", button: { color: "#22BC66", ...button } }, outro: "Need help, or have questions?" },
    reset: { name: "Jo", intro: "You asked for a new password.", action: [{ instructions: "Reset:", button }, { instructions: "Or write:", button: { text: "Write to us", link: "https://shop.example/write?a=1&amp=2" } }], outro: ["Nothing to do otherwise.", "Bye."] },
    receipt: { name: "Sam", intro: "Your order has been processed.", table: { data: [{ item: "Node.js", description: "Event-driven I/O <server-side>", price: "$10.99" }, { item: "Lamp", description: "Red", price: "$1.99" }], columns: { customWidth: { item: "20%" }, customAlignment: { price: "right" } } }, action: { instructions: "Check the status:", button: { text: "Go to Dashboard", link: "https://shop.example/" } } },
    notice: { title: "Two new things", dictionary: { date: "June 11th, 2016", address: "123 Park Avenue" }, goToAction: { text: "Look", link: "https://shop.example/look", description: "See it" }, signature: false },
  };
  for (const theme of ["default", "salted", "neopolitan", "cerberus"]) {
    const product = { name: "Shop", link: "https://shop.example/", copyright: "Copyright © 2026 Shop." };
    for (const [name, body] of Object.entries(bodies)) {
      letters[`mailgen/${theme}/${name}`] = new Mailgen({ theme, product }).generate({ body });
    }
  }
}

const MJML = {
  columns: `<mj-section><mj-column><mj-image alt="Lamp" src="https://x.example/l.png" href="https://x.example/lamp?a=1&amp;section=2"/><mj-text>A lamp</mj-text></mj-column>
    <mj-column><mj-text><p>A table,</p><p>round</p></mj-text><mj-button href="https://x.example/table">Buy</mj-button></mj-column></mj-section>`,
  table: `<mj-section><mj-column><mj-table><tr><th>Year</th><th>Place</th></tr><tr><td>1995</td><td>PHP</td></tr><tr><td>1995</td><td>JavaScript</td></tr></mj-table></mj-column></mj-section>`,
  social: `<mj-section><mj-column><mj-social mode="horizontal"><mj-social-element name="mastodon" href="https://m.example/@a">Mastodon</mj-social-element>
    <mj-social-element name="github" href="https://g.example/a">Code</mj-social-element></mj-social><mj-divider/><mj-spacer height="20px"/><mj-text>End</mj-text></mj-column></mj-section>`,
  hero: `<mj-hero mode="fluid-height" background-url="https://x.example/b.jpg"><mj-text font-size="45px">GO TO SPACE</mj-text><mj-button href="https://x.example/go">ORDER YOUR TICKET NOW</mj-button></mj-hero>
    <mj-section><mj-column><mj-navbar base-url="https://x.example"><mj-navbar-link href="/start">Getting started</mj-navbar-link><mj-navbar-link href="/try">Try it</mj-navbar-link></mj-navbar></mj-column></mj-section>`,
};

async function mjmls() {
  for (const [name, body] of Object.entries(MJML)) {
    const source = `<mjml><mj-head><mj-title>Title</mj-title><mj-preview>Preview words</mj-preview></mj-head><mj-body>${body}</mj-body></mjml>`;
    letters[`mjml/${name}`] = (await mjml(source)).html;
  }
}

// The examples that MJML's own components come with: of their READMEs, the blocks that are whole letters.
async function examples() {
  const folder = path.join(process.env.NODE_PATH, "..", "mjml");
  for (const name of fs.readdirSync(folder).filter((each) => !each.endsWith(".tgz"))) {
    const readme = fs.readFileSync(path.join(folder, name, "package", "README.md"), "utf8");
    for (const [number, source] of readme.match(/<mjml>[^]*?<\/mjml>/g).entries()) {
      letters[`mjml-example/${name}/${number}`] = (await mjml(source)).html;
    }
  }
}

// What the letter says: words, and behind each link its address in brackets.
function read(html) {
  const hidden = ["[hidden]", "datalist", "select", "svg", "textarea", "iframe", "noscript"];
  for (const space of ["", " "]) {
    hidden.push(`[style*="display:${space}none"]`, `[style*="visibility:${space}hidden"]`, `[style*="opacity:${space}0;"]`);
  }
  const link = (elem, walk, builder) => {
    walk(elem.children, builder);
    const href = (elem.attribs.href || "").trim();
    if (href && !href.startsWith("#")) builder.addInline(` \uE000${href}\uE001 `, { noWordTransform: true });
  };
  return convert(html, {
    wordwrap: false,
    limits: { maxInputLength: 1 << 24 },
    formatters: { address: link, alternative: (elem, walk, builder) => builder.addInline(elem.attribs.alt || "") },
    selectors: [
      { selector: "a", format: "address" },
      { selector: "img", format: "alternative" },
      { selector: "hr", format: "skip" },
      { selector: "ul", options: { itemPrefix: " " } },
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, options: { uppercase: false } })),
      { selector: "blockquote", format: "block" },
      ...["td", "th"].map((selector) => ({ selector, format: "block" })),
      ...hidden.map((selector) => ({ selector, format: "skip" })),
    ],
  });
}

async function main() {
  Object.assign(letters, JSON.parse(fs.readFileSync(0, "utf8")));
  foundation();
  mailgen();
  await mjmls();
  await examples();
  process.stdout.write(JSON.stringify(Object.entries(letters).map(([name, html]) => [name, html, read(html)])));
}

main();
