// Sends one message many times over one connection: node round_trips.mjs PORT COUNT MESSAGE-FILE
// Started in the folder that holds node_modules.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const nodemailer = createRequire(`${process.cwd()}/`)("nodemailer");
const [port, count, file] = process.argv.slice(2);
const raw = readFileSync(file);
const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  name: "me.example.com",
  secure: false,
  ignoreTLS: true,
  pool: true,
  maxConnections: 1,
  maxMessages: Infinity,
});
const envelope = (n) => ({ from: "bench@example.com", to: [`r${n}@bench.test`] });
await Promise.all(Array.from({ length: Number(count) }, (_, n) => transport.sendMail({ envelope: envelope(n), raw })));
transport.close();
