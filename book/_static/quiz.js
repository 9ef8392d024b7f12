// Reads the explanation of a chosen answer to a screen reader. Without this script it still shows.
document.addEventListener("change", (event) => {
  const answer = event.target.closest(".quiz-answer");
  if (!answer) return;
  answer.closest(".quiz").querySelector(".quiz-said").textContent =
    answer.querySelector(".quiz-why").textContent;
});
