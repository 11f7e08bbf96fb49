// Run once by the mongo image, on an empty volume: the application may read and write `workflow`, nothing else.
const password = require("fs").readFileSync("/run/secrets/mongodb_password", "utf8").trim();
db.getSiblingDB("workflow").createUser({
  user: "reportq",
  pwd: password,
  roles: [{ role: "readWrite", db: "workflow" }],
});
