// What a fault of a screen leaves: the rest of the page, and a way on.
import { Component, html } from "../js/html.js";

export class Guard extends Component {
  componentDidCatch(fault) {
    this.setState({ fault });
    console.error(fault);
  }

  render({ children }, { fault }) {
    if (!fault) return children;
    return html`<div class="note bad" role="alert">
      <p>This screen cannot be shown: ${fault.message}</p>
      <button class="small end" onClick=${() => location.reload()}>Reload</button>
    </div>`;
  }
}
