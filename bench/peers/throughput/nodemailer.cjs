// nodemailer as its documentation shows it for bulk mail: one pool, fed whenever it is idle.
// node nodemailer.cjs LETTERS COUNT HOST PORT CONNECTIONS [KEY]; BENCH_TLS and BENCH_EACH as in _letters.py
"use strict";
const { readFileSync } = require("node:fs");
const nodemailer = require("nodemailer");

const [letters, count, host, port, connections, key] = process.argv.slice(2);
const list = readFileSync(letters, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const transport = nodemailer.createTransport({
  pool: true,
  host,
  port: Number(port),
  secure: false,
  ...(process.env.BENCH_TLS ? { requireTLS: true, tls: { rejectUnauthorized: false } } : { ignoreTLS: true }),
  maxConnections: Number(connections),
  maxMessages: Number(process.env.BENCH_EACH ?? Infinity),
  ...(key && {
    dkim: { domainName: "example.com", keySelector: "s1", privateKey: readFileSync(key, "utf8") },
  }),
});
let next = 0;
let accepted = 0;

function send(letter) {
  const message = {
    from: letter.from,
    to: letter.to,
    subject: letter.subject,
    text: letter.text,
    html: letter.html,
    headers: {
      "List-Unsubscribe": letter.unsubscribe,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
  };
  transport.sendMail(message, (error) => {
    if (error) throw error;
    accepted += 1;
    if (accepted === Number(count)) {
      console.log(accepted);
      transport.close();
    }
  });
}

transport.on("idle", () => {
  while (transport.isIdle() && next < Number(count)) {
    send(list[next % list.length]);
    next += 1;
  }
});
