// Nodemailer's smtp-server, keeping what it takes: node smtp_server.cjs PORT CERTIFICATES KEPT CONNECTIONS
// It answers by the beginning of the recipient's address (see servers.py), one file for each message.
"use strict";
const fs = require("node:fs");
const { SMTPServer } = require("smtp-server");

const [port, certificates, kept, connections] = process.argv.slice(2);
let number = 0;

function refusal(code, words) {
  return Object.assign(new Error(words), { responseCode: code });
}

new SMTPServer({
  name: "mx.interop.test",
  key: fs.readFileSync(`${certificates}/key.pem`),
  cert: fs.readFileSync(`${certificates}/cert.pem`),
  authOptional: true,
  disabledCommands: ["AUTH"],
  disableReverseLookup: true,
  maxClients: Number(connections),
  size: 50_000_000,
  onRcptTo({ address }, _session, done) {
    if (address.startsWith("bounce")) return done(refusal(550, "5.1.1 No such user here"));
    if (address.startsWith("busy")) return done(refusal(451, "4.3.0 Please try again later"));
    return done();
  },
  onData(stream, session, done) {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      if (session.envelope.rcptTo[0].address.startsWith("reject")) return done(refusal(550, "5.7.1 Not wanted here"));
      fs.writeFileSync(`${kept}/${number++}`, Buffer.concat(parts));
      return done(null, "2.0.0 Ok");
    });
  },
}).listen(Number(port), "127.0.0.1");
