// Opens pages in Chromium as told on stdin, and prints what was found. Used by tests/interop/test_public_page.py and test_web_page.py.
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function visit(browser, base, { path, options, steps, shots }) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const complaints = [], requests = [], seen = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(`${request.method()} ${request.url()}`));
  let response = await page.goto(base + path);
  for (const step of [null, ...steps]) {
    if (step && step.key) {
      await page.keyboard.press(step.key);
      continue;
    }
    if (step && step.see) {
      await page.getByText(step.see).first().waitFor();
      continue;
    }
    if (step && step.focus) {
      await page.focus(step.focus);
      continue;
    }
    if (step && step.go) {
      response = await page.goto(base + step.go);
    } else if (step && !step.look) {
      for (const [id, text] of Object.entries(step.fill || {})) await page.fill(`#${id}`, text);
      const press = step.enter ? page.keyboard.press("Enter") : page.getByRole("button", { name: step.press }).click();
      [response] = await Promise.all([page.waitForNavigation(), press]);
    }
    const facts = await page.evaluate(() => ({
      url: location.href,
      title: document.title,
      lang: document.documentElement.lang,
      heading: document.querySelector("h1").textContent,
      regions: Object.fromEntries([...document.querySelectorAll("[role=region]")].map((one) => [one.getAttribute("aria-label"), one.innerText])),
      buttons: [...document.querySelectorAll("button")].map((one) => one.textContent),
      wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      focused: document.activeElement.outerHTML.slice(0, 200),
      ground: getComputedStyle(document.body).backgroundColor,
    }));
    if (shots) await page.screenshot({ path: `${shots}-${seen.length}.png`, fullPage: true });
    // the judge is a script itself, and where there are none its promises are never kept
    const judged = options.javaScriptEnabled === false ? { violations: [], incomplete: [], passes: [] }
      : await page.evaluate(`${axe.source}; axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`);
    const faults = [...judged.violations, ...judged.incomplete].map((one) => `${one.id}: ${one.nodes[0].html}`);
    seen.push({ status: response.status(), ...facts, faults, passes: judged.passes.length });
  }
  const cookies = await context.cookies();
  await context.close();
  return { seen, complaints, requests, cookies };
}

async function main() {
  const told = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: told.chromium, args });
  const found = [];
  for (const one of told.visits) found.push(await visit(browser, told.base, one));
  await browser.close();
  console.log(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
