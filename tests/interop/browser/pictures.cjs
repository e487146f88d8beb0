// Shows pairs of letters in Chromium, as told on stdin, and prints which share of the pixels differs in each.
const { chromium } = require("playwright-core");

async function main() {
  const told = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: told.chromium, args });
  const page = await browser.newPage({ viewport: { width: 700, height: 900 } });
  const square = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="green"/></svg>';
  await page.route("**/*", (route) => route.fulfill({ contentType: "image/svg+xml", body: square })); // nothing is fetched
  const shot = async (html) => {
    await page.setContent(html, { waitUntil: "load" });
    return (await page.screenshot({ fullPage: true })).toString("base64");
  };
  const judge = await browser.newPage();
  const found = [];
  let one = ["", ""]; // the latest letter, and its picture
  for (const [name, before, after] of told.pairs) {
    if (one[0] !== before) one = [before, await shot(before)];
    const pictures = [one[1], await shot(after)];
    const share = pictures[0] === pictures[1] ? 0 : await judge.evaluate(async (all) => {
      const read = async (data) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
        canvas.drawImage(image, 0, 0);
        return canvas.getImageData(0, 0, image.width, image.height);
      };
      const [a, b] = [await read(all[0]), await read(all[1])];
      if (a.width !== b.width || a.height !== b.height) return 1;
      let differing = 0;
      for (let at = 0; at < a.data.length; at += 4) {
        if (a.data[at] !== b.data[at] || a.data[at + 1] !== b.data[at + 1] || a.data[at + 2] !== b.data[at + 2]) differing++;
      }
      return (differing * 4) / a.data.length;
    }, pictures);
    found.push([name, share, pictures[0].length]);
  }
  await browser.close();
  console.log(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
