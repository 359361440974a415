// Node's own modules: CONNECT by https, and TLS in the tunnel by an agent.
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import tls from "node:tls";

const proxy = new URL(process.env.HTTPS_PROXY);
const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
const ca = readFileSync("trusted.pem");

function tunnel() {
  return new Promise((resolve, reject) => {
    const headers = { "Proxy-Authorization": "Basic " + Buffer.from(login).toString("base64") };
    const path = "files.example:8443";
    https
      .request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path, headers, ca })
      .on("connect", (answer, socket) =>
        answer.statusCode === 200 ? resolve(socket) : reject(new Error(answer.statusCode)),
      )
      .on("error", reject)
      .end();
  });
}

async function ask(method, body) {
  const socket = tls.connect({ socket: await tunnel(), servername: "files.example", ca });
  return new Promise((resolve, reject) => {
    const options = { method, path: "/node.tar", createConnection: () => socket };
    const request = http.request({ ...options, host: "files.example" }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        socket.destroy();
        answer.statusCode < 300 ? resolve(Buffer.concat(parts)) : reject(answer.statusCode);
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

await ask("PUT", readFileSync("home.tar"));
writeFileSync("restored.tar", await ask("GET"));
