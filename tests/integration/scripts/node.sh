# SPDX-License-Identifier: GPL-2.0-or-later
# A server and its clients, workers, a child.
# needs: node
cat >main.js <<'END'
const http = require("http"), fs = require("fs");
const { Worker } = require("worker_threads"), { execFileSync } = require("child_process");
const server = http.createServer((request, response) => response.end(request.url + "!"));
const get = url => new Promise(done => http.get(url, response => {
	let text = ""; response.on("data", data => text += data); response.on("end", () => done(text));
}));
const work = n => new Promise(done => {
	const worker = new Worker(`require("worker_threads").parentPort.postMessage(
		[...Array(1e5).keys()].reduce((a, b) => (a * 31 + b + ${n}) % 1000003))`, { eval: true });
	worker.on("message", done);
});
server.listen(0, "127.0.0.1", async () => {
	const base = "http://127.0.0.1:" + server.address().port;
	console.log((await Promise.all([...Array(200).keys()].map(n => get(base + "/" + n)))).join(""));
	console.log(await Promise.all([1, 2, 3, 4].map(work)));
	console.log(execFileSync("seq", ["3"]).toString());
	await fs.promises.writeFile("file", "text");
	console.log(fs.readFileSync("file", "utf8"), fs.readdirSync(".").join());
	server.close();
});
END
node main.js
