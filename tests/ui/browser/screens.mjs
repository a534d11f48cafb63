// Every screen of the dashboard on a stack that furnish.py filled, and every dialog of them.
import { known } from "./visit.mjs";

// `title`: its heading. `dialogs`: the buttons that open one. `least`: the role that may see it.
export const screens = [
  { name: "overview", at: "#/", title: "Overview" },
  { name: "queues", at: "#/queues", title: "Queues" },
  { name: "queue", at: "#/queues/emails", title: "emails", dialogs: ["Change …", "Purge …"] },
  { name: "tasks", at: "#/tasks", title: "Tasks", dialogs: ["Cancel what waits …"] },
  { name: "tasks-failed", at: "#/tasks?status=failed", title: "Tasks", dialogs: ["Retry all of these …"] },
  { name: "task-failed", at: `#/tasks/${known.failed}`, title: known.failed },
  { name: "task-retrying", at: `#/tasks/${known.retrying}`, title: known.retrying, dialogs: ["Change …", "Cancel …", "Delete …"] },
  { name: "task-delivered", at: `#/tasks/${known.done}`, title: known.done },
  { name: "failures", at: "#/failures", title: "Failures", dialogs: ["Retry …"] },
  { name: "schedules", at: "#/schedules", title: "Schedules", dialogs: ["New schedule …"] },
  { name: "schedule", at: "#/schedules/nightly-report", title: "nightly-report", dialogs: ["Change …", "Delete …"] },
  { name: "endpoints", at: "#/endpoints", title: "Endpoints", dialogs: ["New endpoint …"] },
  { name: "endpoint", at: "#/endpoints/mail%3Anewsletter", title: "mail:newsletter", dialogs: ["Recover …", "Change …", "Rotate secret …", "Delete …"] },
  { name: "health", at: "#/health", title: "Health" },
  { name: "keys", at: "#/keys", title: "Keys", least: "admin", dialogs: ["New key …", "Revoke …"] },
  { name: "tenants", at: "#/tenants", title: "Tenants", least: "operator", dialogs: ["New tenant …"] },
];
